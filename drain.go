package ringo

import "time"

// Draining returns a channel that is closed when the drain begins, at the latest when Run ends, and that carries no
// values. Use it in a Select, or wait for it alone. All loops of a Run share it. Any goroutine may call it.
//
//	var job Job
//	switch i, err := ringo.Select(ringo.RecvInto(jobs, &job), ringo.RecvInto(l.Draining(), &none)); {
//	case i == 1: // err is ErrClosed
//		return nil
//	...
func (l *Loop) Draining() *Chan[struct{}] {
	set := l.engine().Set()
	if set == nil {
		return closedChan()
	}
	c, made := set.Shared.Load(drainingKey{})
	if !made {
		if c, made = set.Shared.LoadOrStore(drainingKey{}, NewChan[struct{}](0)); !made {
			set.OnDrain(c.(*Chan[struct{}]).Close)
		}
	}
	return c.(*Chan[struct{}])
}

// drainingKey is what Draining's channel goes by in what the loops of a Run share.
type drainingKey struct{}

// closedChan stands for the channel of a Loop that no Run has made.
func closedChan() *Chan[struct{}] {
	c := NewChan[struct{}](0)
	c.Close()
	return c
}

// OnDrain starts fn as a task of the loop when the drain begins, or soon if the drain has already begun. Use it to end
// what does not watch for the drain itself: to close a client's connection, or notify peers. stop reports whether it
// has kept fn from being started, as with context.AfterFunc. fn is not started if Run ends without a drain, and does
// not keep the loop alive. If all tasks are cancelled at once because of an error, fn runs as a cancelled task. Any
// goroutine may call OnDrain and stop; neither parks.
func (l *Loop) OnDrain(fn func()) (stop func() bool) {
	wantFunc(fn != nil, "Loop.OnDrain")
	return l.engine().OnDrain(fn)
}

// SetGrace replaces Config.Grace for the Run of l: for a coming drain or, if the drain has begun, from now on. d of 0
// or less leaves no time: all tasks are cancelled when the drain begins, or now. With it a program can let connections
// last for hours after it was replaced, and still end within seconds when it is stopped. Any goroutine may call
// SetGrace; it does not park.
func (l *Loop) SetGrace(d time.Duration) {
	if set := l.engine().Set(); set != nil {
		set.SetGrace(d)
	}
}
