package event

import "ringo/internal/loop"

// Work is what Go has begun.
type Work struct {
	activity
	task *loop.Task
	told func()
	over bool
}

// Go has fn run as a task of the loop, and then be called with what it returned. So whatever parks ends in a callback:
// the calls of package file, and by ringo.Loop.Offload and Compute all that waits or computes for long. fn has a stack
// while it waits. If it does not return, then is told ErrNoReturn.
func Go[T any](l *Loop, fn func() (T, error), then func(T, error)) *Work {
	l.here("Go")
	if fn == nil || then == nil {
		panic("event: Go of a nil function")
	}
	w := &Work{activity: activity{e: l}}
	var got T
	err := ErrNoReturn
	w.told = func() { then(got, err) }
	if l.refuses() {
		w.over, err = true, ErrStopped
		l.refuse(w.told)
		return w
	}
	l.begin(&w.activity, w)
	w.task = l.l.GoThen(func() {
		v, failed := fn()
		got, err = v, failed
	}, func(error) { l.push(w) })
	return w
}

func (w *Work) run() {
	if !w.over {
		w.over = true
		w.e.endBy(&w.activity, w.told)
	}
}

// Cancel has the waits of fn fail, as ringo.Task.Cancel does. What it returns then is told.
func (w *Work) Cancel() {
	w.e.here("Work.Cancel")
	w.task.Cancel()
}

// stop has the task end soon; then is told what it returns.
func (w *Work) stop() { w.task.Cancel() }
