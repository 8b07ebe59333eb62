package sockhttp

import (
	"slices"
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/timer"
)

// lot is callers that wait for something of a connection of HTTP/2: tasks, and goroutines. It is under the
// connection's mu.
type lot struct{ all []*waiter2 }

type waiter2 struct {
	loop.Parker
	st *stream2 // whose handler it is
}

var waiters2 = sync.Pool{New: func() any { return new(waiter2) }}

// wait waits in a lot until it is woken. The caller has mu, and has it again. The error is that of a cancelled task,
// unless it is to wait on all the same.
func (h *conn2) wait(in *lot, st *stream2, on bool) (err error) {
	l, t := loop.Current()
	if !on && l != nil && l.Canceled() {
		return l.Cause()
	}
	w := waiters2.Get().(*waiter2)
	w.st, w.For = st, "HTTP/2"
	w.Begin(l, t)
	in.all = append(in.all, w)
	h.unlock()
	if on {
		w.ParkOn()
	} else if _, ok := w.Park(); !ok {
		err = l.Cause()
	}
	h.mu.Lock()
	if i := slices.Index(in.all, w); i >= 0 {
		in.all = slices.Delete(in.all, i, i+1)
	}
	w.st = nil
	waiters2.Put(w)
	return err
}

// wake wakes those that which says, in order.
func (q *lot) wake(which func(*stream2) bool) {
	if len(q.all) == 0 {
		return
	}
	q.all = slices.DeleteFunc(q.all, func(w *waiter2) bool {
		if !which(w.st) {
			return false
		}
		if w.Claim(0) {
			w.Wake()
		}
		return true
	})
	if len(q.all) == 0 {
		q.all = nil
	}
}

func (q *lot) wakeAll() { q.wake(func(*stream2) bool { return true }) }

// alarm calls fn at some time: in a task of a loop, or on a goroutine. It is under the connection's mu, which fn
// takes.
type alarm struct {
	l   *loop.Loop // nil: there is none
	t   timer.Timer
	std *time.Timer
	fn  func()
}

// set has it go off at a time, in the place of another; the zero time is never.
func (a *alarm) set(at time.Time) {
	switch {
	case a.l == nil && a.std == nil:
		if !at.IsZero() {
			a.std = time.AfterFunc(time.Until(at), a.fn)
		}
	case a.l == nil && at.IsZero():
		a.std.Stop()
	case a.l == nil:
		a.std.Reset(time.Until(at))
	case a.l.IsCurrent():
		a.arm(at)
	default:
		a.l.Call(func() { a.arm(at) })
	}
}

func (a *alarm) arm(at time.Time) {
	if at.IsZero() {
		a.l.Timers().Disarm(&a.t)
		return
	}
	a.t.Owner = a
	a.l.Timers().Arm(&a.t, a.l.At(a.l.Outside(at)))
}

// Fire is the loop's word that it is time.
func (a *alarm) Fire(*timer.Timer) { a.l.Start(a) }

// Run is the alarm as a task.
func (a *alarm) Run() { a.fn() }

// Code is that of its function.
func (a *alarm) Code() code.Func { return code.Of(a.fn) }

// stop is for when it is not needed any more.
func (a *alarm) stop() {
	switch {
	case a.l == nil && a.std == nil:
	case a.l == nil:
		a.std.Stop()
	case a.l.IsCurrent():
		a.l.Timers().Remove(&a.t)
	default:
		a.l.Call(func() { a.l.Timers().Remove(&a.t) })
	}
}
