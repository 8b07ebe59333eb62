package sockhttp

import (
	"slices"
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/timer"
)

// lot is the tasks and goroutines that wait for something on an HTTP/2 connection. It is guarded by the connection's
// mu.
type lot struct{ all []*waiter2 }

type waiter2 struct {
	loop.Parker
	st *stream2 // the stream that it sends on or reads
}

var waiters2 = sync.Pool{New: func() any { return new(waiter2) }}

// wait waits in a lot until it is woken. The caller holds mu, and holds it again afterwards. The error is that of a
// cancelled task; with on, cancelled tasks wait on.
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

// wake wakes the waiters that which selects, in order.
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

// alarm calls fn at a set time, in a task of the connection's loop or on a goroutine. It is guarded by the connection's
// mu, also while fn runs.
//
// The time may change while a timer that has fired waits for mu, or while word of an earlier time is on its way to the
// loop: each looks at what is set by then.
type alarm struct {
	h   *conn2
	at  time.Time // zero: never; of a loop's clock, if there is one
	t   timer.Timer
	std *time.Timer
	fn  func()
}

func (a *alarm) init(h *conn2, fn func()) { a.h, a.fn = h, fn }

// set sets the time, instead of an earlier one; the zero time means never.
func (a *alarm) set(at time.Time) {
	l := (*loop.Loop)(a.h.loop)
	if a.at = at; l != nil && !at.IsZero() {
		a.at = l.Outside(at)
	}
	switch {
	case l == nil && a.std == nil:
		if !at.IsZero() {
			a.std = time.AfterFunc(time.Until(at), a.Run)
		}
	case l == nil && at.IsZero():
		a.std.Stop()
	case l == nil:
		a.std.Reset(time.Until(at))
	case l.IsCurrent():
		a.arm(l)
	default:
		l.Call(func() {
			a.h.mu.Lock()
			defer a.h.mu.Unlock()
			a.arm(l)
		})
	}
}

// arm follows what is set. It is called on the loop's thread.
func (a *alarm) arm(l *loop.Loop) {
	if a.at.IsZero() {
		l.Timers().Disarm(&a.t)
		return
	}
	a.t.Owner = a
	l.Timers().Arm(&a.t, l.At(a.at))
}

// Fire is called when it is time.
func (a *alarm) Fire(*timer.Timer) { (*loop.Loop)(a.h.loop).Start(a) }

// Run calls fn if it is time.
func (a *alarm) Run() {
	a.h.mu.Lock()
	defer a.h.unlock()
	l := (*loop.Loop)(a.h.loop)
	now := time.Now()
	if l != nil {
		now = l.Clock()
	}
	switch {
	case a.at.IsZero():
	case !now.Before(a.at):
		a.at = time.Time{}
		a.fn()
	case l != nil:
		a.arm(l)
	}
}

// Code shows the task under the name of fn.
func (a *alarm) Code() code.Func { return code.Of(a.fn) }

// stop ends the alarm when it is no longer needed.
func (a *alarm) stop() {
	if a.h == nil { // it was never set
		return
	}
	a.at = time.Time{}
	switch l := (*loop.Loop)(a.h.loop); {
	case l == nil && a.std == nil:
	case l == nil:
		a.std.Stop()
	case l.IsCurrent():
		l.Timers().Remove(&a.t)
	default:
		l.Call(func() { l.Timers().Remove(&a.t) })
	}
}
