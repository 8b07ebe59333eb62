package handle

import "ringo/internal/loop"

// waiter is a foreign caller that waits in a line.
type waiter struct {
	loop.Parker
	next *waiter
}

// line is a queue of foreign callers, in order of arrival. It is a list, because there are few.
type line struct{ first *waiter }

// What a caller in a line is woken with.
const (
	yours = iota // it has access, or what it has waited for has happened
	over         // the handle closes
	late         // the deadline has passed
)

func (q *line) push(w *waiter) {
	at := &q.first
	for *at != nil {
		at = &(*at).next
	}
	*at, w.next = w, nil
}

// pop removes and returns the first waiter; nil if there is none.
func (q *line) pop() *waiter {
	w := q.first
	if w != nil {
		q.first, w.next = w.next, nil
	}
	return w
}

// remove removes w, and returns how many were before it; false if it is not in the line.
func (q *line) remove(w *waiter) (before int, ok bool) {
	at := &q.first
	for ; *at != nil; at = &(*at).next {
		if *at == w {
			*at, w.next = w.next, nil
			return before, true
		}
		before++
	}
	return 0, false
}

func (q *line) len() (n int) {
	for w := q.first; w != nil; w = w.next {
		n++
	}
	return n
}

// wake wakes all waiters of a line of claimed ones.
func (q *line) wake() {
	for w := q.pop(); w != nil; w = q.pop() {
		w.Wake()
	}
}

// claimAll empties the queues, claims their waiters with word, and returns those that it could claim. The caller holds
// the lock of the queues, and must wake the result after it has unlocked.
func claimAll(word int, queues ...*line) (told line) {
	for _, q := range queues {
		for w := q.pop(); w != nil; w = q.pop() {
			if w.Claim(word) {
				told.push(w)
			}
		}
	}
	return told
}
