package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// line is those who wait for one thing, in order of arrival: tasks of any loop, and
// goroutines. All of it is under the lock of what they wait for, which is held for a
// few stores only, and by nobody who parks.
type line[T any] struct {
	first, last *waiter[T]
}

// waiter is one place in a line.
type waiter[T any] struct {
	p          *loop.Parker // own, but in a Select, where several places have one
	own        loop.Parker
	in         *line[T] // nil once it was taken out
	next, prev *waiter[T]
	which      int  // of the cases of its Select
	v          T    // what it brings, or is given
	refused    bool // it was woken by Close
}

func (q *line[T]) empty() bool { return q.first == nil }

func (q *line[T]) push(w *waiter[T]) {
	w.in, w.next, w.prev = q, nil, q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// leave takes w out, if it is still in.
func (w *waiter[T]) leave() {
	q := w.in
	if q == nil {
		return
	}
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.next, w.prev = nil, nil, nil
}

// claim takes out the first who still waits; nil if nobody does. Who was cancelled
// on the way is passed over. The caller wakes it once it has let the lock go.
func (q *line[T]) claim() *waiter[T] {
	for w := q.first; w != nil; w = q.first {
		w.leave()
		if w.p.Claim(w.which) {
			return w
		}
	}
	return nil
}

// claimAll claims all who still wait.
func (q *line[T]) claimAll() (all claimedWaiters[T]) {
	for w := q.claim(); w != nil; w = q.claim() {
		all.add(w)
	}
	return all
}

// claimWhile claims those in front who may have what they wait for, up to the first who may not. Each takes it.
func (q *line[T]) claimWhile(may func(T) bool, take func(T)) (all claimedWaiters[T]) {
	for w := q.first; w != nil && may(w.v); w = q.first {
		w.leave()
		if w.p.Claim(w.which) {
			take(w.v)
			all.add(w)
		}
	}
	return all
}

// claimedWaiters are waiters that were claimed together, to be woken when the lock is gone.
type claimedWaiters[T any] struct{ first, last *waiter[T] }

func (q *claimedWaiters[T]) add(w *waiter[T]) {
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// wake wakes them in order. Each is its owner's again at that moment.
func (q *claimedWaiters[T]) wake() {
	for w := q.first; w != nil; {
		next := w.next
		w.next = nil
		w.p.Wake()
		w = next
	}
}

// waiterPool keeps waiters for those who wait next, under the same lock.
type waiterPool[T any] struct {
	free *waiter[T]
	n    int
}

// sparesMax is how many places are kept; more callers at once than that allocate.
const sparesMax = 256

func (s *waiterPool[T]) get() *waiter[T] {
	w := s.free
	if w == nil {
		return new(waiter[T])
	}
	s.free, w.next = w.next, nil
	s.n--
	return w
}

func (s *waiterPool[T]) put(w *waiter[T]) {
	if s.n == sparesMax {
		return
	}
	var none T
	w.p, w.v, w.refused, w.which = nil, none, false, 0
	w.next, s.free = s.free, w
	s.n++
}

// chargeIn is for a call that ctx may end: the error is why the caller may not go on.
func chargeIn(ctx context.Context) error {
	if err := loop.ChargeAndYield(); err != nil {
		return err
	}
	return endedBy(ctx)
}

// endedBy is why ctx lets no call begin; nil if it does. A nil ctx never ends.
func endedBy(ctx context.Context) error {
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	return loop.ContextError(ctx)
}

// noContext is for a wait that no context ends.
var noContext context.Context

// wait stands the caller in line with v, lets the lock go and waits, until ctx is done if it is not nil. It holds the
// lock again when it returns, with what became of v; in a crash of a simulated host it does not return, so no caller
// defers an unlock. The error is ErrClosed, or what has ended the wait.
func (q *line[T]) wait(ctx context.Context, mu *sync.Mutex, s *waiterPool[T], v T, call string,
	of loop.Describer) (got T, err error) {
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		return got, l.Cause()
	}
	w := s.get()
	w.p, w.v = &w.own, v
	w.own.For, w.own.About = call, of
	w.own.Begin(l, t)
	q.push(w)
	mu.Unlock()
	if ctx != nil {
		_, err = w.own.ParkContext(ctx)
	} else if _, ok := w.own.Park(); !ok { // without the call between: BenchmarkChan/cap=1
		err = l.Cause()
	}
	mu.Lock()
	w.leave()
	switch {
	case err != nil:
	case w.refused:
		err = ErrClosed
	default:
		got = w.v
	}
	s.put(w)
	return got, err
}

// waitOn is wait that nothing ends but the one who claims the waiter.
func (q *line[T]) waitOn(mu *sync.Mutex, s *waiterPool[T], v T, call string, of loop.Describer) {
	w := s.get()
	w.p, w.v = &w.own, v
	w.own.For, w.own.About = call, of
	w.own.Begin(loop.Current())
	q.push(w)
	mu.Unlock()
	w.own.ParkOn()
	mu.Lock()
	s.put(w)
}
