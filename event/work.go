package event

import "ringo/internal/loop"

// Work is a running function of Go.
type Work struct {
	activity
	task *loop.Task
	told func()
	over bool
}

// Go runs fn as a task of the loop, and then calls then with its results. It turns calls that wait into callbacks:
// those of package file, and, with ringo.Loop.Offload and Compute, everything that blocks or computes for long. fn
// needs a stack while it waits. If it panics or calls runtime.Goexit, then gets ErrNoReturn.
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
	w.task = l.l.Go(func() {
		v, failed := fn()
		got, err = v, failed
	}).Then(func(error) { l.push(w) })
	return w
}

func (w *Work) run() {
	if !w.over {
		w.over = true
		w.e.endBy(&w.activity, w.told)
	}
}

// Cancel makes the waits of fn fail, as ringo.Task.Cancel does. The results that fn then returns are passed on as
// usual.
func (w *Work) Cancel() {
	w.e.here("Work.Cancel")
	w.task.Cancel()
}

// stop cancels the task; then is called with what it returns.
func (w *Work) stop() { w.task.Cancel() }
