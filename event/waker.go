package event

import "sync/atomic"

// A Waker calls a function on its loop on request of any goroutine.
type Waker struct {
	activity
	fn     func()
	asked  atomic.Bool // and fn was not called since
	arrive func()
}

// NewWaker makes a Waker. It is active until Stop.
func (e *Loop) NewWaker(fn func()) *Waker {
	e.here("Loop.NewWaker")
	if fn == nil {
		panic("event: Loop.NewWaker of a nil function")
	}
	w := &Waker{activity: activity{e: e, endless: true}, fn: fn}
	w.arrive = func() { e.push(w) }
	if !e.refuses() {
		e.begin(&w.activity, w)
	}
	return w
}

// Wake makes the loop call the function soon. Several Wakes may lead to one call, which sees everything done before
// them. Any goroutine may call it; if the Waker was stopped or the loop has ended it does nothing.
func (w *Waker) Wake() {
	if !w.asked.Swap(true) {
		w.e.l.Call(w.arrive)
	}
}

func (w *Waker) run() {
	if w.asked.Store(false); w.isActive() {
		w.fn()
	}
}

// Stop ends the calls.
func (w *Waker) Stop() {
	w.e.here("Waker.Stop")
	w.stop()
}

func (w *Waker) stop() { w.e.done(&w.activity) }
