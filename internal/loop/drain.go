package loop

import (
	"sync/atomic"
)

// OnDrain has fn called when the Run begins to drain, or ends without, on any thread: at once, if it has. fn must
// not wait. G.
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

// Ends reports whether the Run drains, or ends without: a loop may not know yet. G.
func (s *Set) Ends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends()
}

// ends is Ends, under mu.
func (s *Set) ends() bool { return s.draining || s.stopping || s.over }

// tellDrain calls those who asked for it. The caller has set what OnDrain looks at.
func (s *Set) tellDrain() {
	s.mu.Lock()
	told := s.onDrain
	s.onDrain = nil
	s.mu.Unlock()
	for _, fn := range told {
		fn()
	}
}

// drainTask is a function that is to be started as a task when the drain begins.
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

// OnDrain starts fn as a task of l when the drain begins, with what it inherits of the caller: soon, if it has begun.
// stop reports whether that will not be. G.
func (l *Loop) OnDrain(fn func()) (stop func() bool) {
	d := &drainTask{l: l, job: inheriting(jobFunc(fn), l.Inherited())}
	if l.IsCurrent() {
		d.register()
	} else {
		l.Call(d.register)
	}
	return d.stop
}

// register runs on the loop's thread, as all of it but stop.
func (d *drainTask) register() {
	switch {
	case d.state.Load() != drainAwaited:
	case d.l.Draining():
		d.Drain()
	default:
		d.l.handles.Register(&d.handle, d)
	}
}

// Drain is the loop's word that accepts have stopped.
func (d *drainTask) Drain() {
	if d.state.CompareAndSwap(drainAwaited, drainBegun) {
		d.l.handles.Unregister(&d.handle)
		d.l.Start(d.job)
	}
}

// Abandon is the loop's word that it ends.
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
