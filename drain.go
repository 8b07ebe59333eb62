package ringo

import "time"

// Draining returns a channel that carries no values, and is closed when the drain begins, at the latest when Run ends.
// Use it in a Select, or wait for it alone. All loops of a Run share it. Any goroutine may call it.
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

// drainingKey is the key of Draining's channel among the values that the loops of a Run share.
type drainingKey struct{}

// closedChan returns a closed channel, for a Loop that no Run has made.
func closedChan() *Chan[struct{}] {
	c := NewChan[struct{}](0)
	c.Close()
	return c
}

// OnDrain starts fn as a task of the loop when the drain begins, or soon if it has already begun. Use it to end work
// that does not watch for the drain itself: to close a client's connection, or notify peers. stop reports whether it
// has kept fn from being started, as with context.AfterFunc. A pending OnDrain does not keep the loop alive, and fn is
// not started if Run ends without a drain. If all tasks are cancelled at once because of an error, fn runs as a
// cancelled task. Any goroutine may call OnDrain and stop; neither parks.
func (l *Loop) OnDrain(fn func()) (stop func() bool) {
	wantFunc(fn != nil, "Loop.OnDrain")
	return l.engine().OnDrain(fn)
}

// SetGrace replaces Config.Grace for the Run of l: for a coming drain or, if the drain has begun, from now on. If d is
// 0 or less, all tasks are cancelled when the drain begins, or now. With SetGrace a program can let connections last
// for hours after it was replaced by a new one, and still end within seconds when it is stopped. Any goroutine may call
// it; it does not park.
func (l *Loop) SetGrace(d time.Duration) {
	if set := l.engine().Set(); set != nil {
		set.SetGrace(d)
	}
}
