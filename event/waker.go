package event

import "sync/atomic"

// Waker calls a function on its loop when anybody asks for that.
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

// Wake has the function be called soon. Calls that come before it are told by one; what was done before Wake it sees.
// Any goroutine may call it, also when the Waker was stopped, or the loop has ended; then it does nothing.
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

// Stop keeps the function from being called any more.
func (w *Waker) Stop() {
	w.e.here("Waker.Stop")
	w.stop()
}

func (w *Waker) stop() { w.e.done(&w.activity) }
