package handle

import "ringo/internal/loop"

// waiter is a foreign caller that waits in a line.
type waiter struct {
	loop.Parker
	next *waiter
}

// line is foreign callers in order of arrival. There are few, as a rule.
type line struct{ first *waiter }

// What a caller in a line is told.
const (
	yours = iota // it has access, or what it waited for is done
	over         // there will be none
	late         // its deadline has passed
)

func (q *line) push(w *waiter) {
	at := &q.first
	for *at != nil {
		at = &(*at).next
	}
	*at, w.next = w, nil
}

// pop takes the first out, nil if there is none.
func (q *line) pop() *waiter {
	w := q.first
	if w != nil {
		q.first, w.next = w.next, nil
	}
	return w
}

// remove takes w out, and tells how many were before it; false if it is not there.
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

// wake wakes all of a line of those who were claimed.
func (q *line) wake() {
	for w := q.pop(); w != nil; w = q.pop() {
		w.Wake()
	}
}

// claimAll takes all out of queues whose wait is over, and tells them a word. The caller holds the lock of the
// queues, and wakes those it gets when it has unlocked.
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
