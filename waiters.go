package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// line is a queue of callers that wait for one thing, in order of arrival: tasks of any loop, and goroutines. The lock
// of that thing guards all of it. Callers hold the lock only for a few stores, and never while they park.
type line[T any] struct {
	first, last *waiter[T]
}

// waiter is one caller's place in a line.
type waiter[T any] struct {
	p          *loop.Parker // &own, except in a Select, whose places share the Parker of one of them
	own        loop.Parker
	in         *line[T] // the line that it is in; nil once it was taken out
	next, prev *waiter[T]
	which      int  // index of the case in its Select
	v          T    // the value that the caller brings, or gets
	refused    bool // Close woke it
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

// leave takes w out of its line, if it is still in one.
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

// claim takes out waiters, from the first on, until it finds one that still waits, and returns it; nil if there is
// none. It skips waiters whose wait has ended meanwhile, by a cancel for example. The caller wakes the returned waiter
// after unlocking.
func (q *line[T]) claim() *waiter[T] {
	for w := q.first; w != nil; w = q.first {
		w.leave()
		if w.p.Claim(w.which) {
			return w
		}
	}
	return nil
}

// claimAll claims all waiters that still wait.
func (q *line[T]) claimAll() (all claimedWaiters[T]) {
	for w := q.claim(); w != nil; w = q.claim() {
		all.add(w)
	}
	return all
}

// claimWhile claims waiters from the first on, and calls take for each, up to the first for which may is false.
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

// claimedWaiters are waiters that were claimed together. The caller wakes them after unlocking.
type claimedWaiters[T any] struct{ first, last *waiter[T] }

func (q *claimedWaiters[T]) add(w *waiter[T]) {
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// wake wakes the waiters in order. Each belongs to its own caller again from that moment.
func (q *claimedWaiters[T]) wake() {
	for w := q.first; w != nil; {
		next := w.next
		w.next = nil
		w.p.Wake()
		w = next
	}
}

// waiterPool keeps unused waiters for later callers of the same line. The lock of the line guards it.
type waiterPool[T any] struct {
	free *waiter[T]
	n    int
}

// sparesMax is how many waiters a pool keeps; if more callers wait at once, the further ones allocate.
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

// chargeIn begins a call that ctx may end: it charges the call to the task's budget. An error says why the call must
// not go on.
func chargeIn(ctx context.Context) error {
	if err := loop.ChargeAndYield(); err != nil {
		return err
	}
	return endedBy(ctx)
}

// endedBy returns the error of a call with a ctx that is already done; nil if it is not. A nil ctx never ends.
func endedBy(ctx context.Context) error {
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	return loop.ContextError(ctx)
}

// noContext is the ctx of a wait that no context ends. It is nil.
var noContext context.Context

// wait puts the caller in line with v, unlocks mu and waits, until ctx is done if ctx is not nil. It locks mu again
// before it returns, with the value that the waiter has then. The error is ErrClosed, or says what has ended the wait.
// In the crash of a simulated host wait does not return and mu stays unlocked, so callers must not defer an unlock.
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

// waitOn is wait for a caller that waits until another caller claims its waiter: neither a cancel nor a context ends
// it.
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
