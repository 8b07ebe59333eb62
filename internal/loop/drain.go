package loop

import (
	"sync/atomic"
)

// OnDrain calls fn once, on any thread, when the Run begins to drain or ends without a drain: at once, if it has. fn
// must not wait. G.
func (s *Set) OnDrain(fn func()) {
	s.mu.Lock()
	begun := s.ends()
	if !begun {
		s.onDrain = append(s.onDrain, fn)
	}
	s.mu.Unlock()
	if begun {
		fn()
	}
}

// Ends reports whether the Run drains, or ends without a drain. The loops may not know that yet. G.
func (s *Set) Ends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends()
}

// ends is Ends for callers that hold mu.
func (s *Set) ends() bool { return s.draining || s.stopping || s.over }

// tellDrain calls the functions of OnDrain. The caller has changed what ends looks at.
func (s *Set) tellDrain() {
	s.mu.Lock()
	told := s.onDrain
	s.onDrain = nil
	s.mu.Unlock()
	for _, fn := range told {
		fn()
	}
}

// drainTask is a function that starts as a task when the drain begins.
type drainTask struct {
	l      *Loop
	handle Handle
	job    Job
	state  atomic.Int32
}

const (
	drainAwaited = iota
	drainBegun
	drainUnwanted
)

// OnDrain starts fn as a task of l when the drain begins, or soon, if it has begun. The task inherits from the caller.
// stop keeps fn from starting, and reports whether it was in time. G.
func (l *Loop) OnDrain(fn func()) (stop func() bool) {
	d := &drainTask{l: l, job: l.Inherited().To(jobFunc(fn))}
	if l.IsCurrent() {
		d.register()
	} else {
		l.Call(d.register)
	}
	return d.stop
}

// register runs on the loop's thread, as all methods but stop do.
func (d *drainTask) register() {
	switch {
	case d.state.Load() != drainAwaited:
	case d.l.Draining():
		d.Drain()
	default:
		d.l.handles.Register(&d.handle, d)
	}
}

// Drain starts the task: the loop calls it when accepts have stopped.
func (d *drainTask) Drain() {
	if d.state.CompareAndSwap(drainAwaited, drainBegun) {
		d.l.handles.Unregister(&d.handle)
		d.l.Start(d.job)
	}
}

// Abandon drops the task: the loop calls it when it ends.
func (d *drainTask) Abandon() { d.l.handles.Unregister(&d.handle) }

func (d *drainTask) stop() bool {
	if !d.state.CompareAndSwap(drainAwaited, drainUnwanted) {
		return false
	}
	remove := func() { d.l.handles.Unregister(&d.handle) }
	if d.l.IsCurrent() {
		remove()
	} else {
		d.l.Call(remove)
	}
	return true
}
