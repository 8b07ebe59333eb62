package ringo

// Draining is a channel that nobody sends to, and that is closed when the drain begins, and at the latest when Run
// ends: what waits for something else looks at it in a Select, or waits for it alone. All loops of a Run have the same
// one. Any goroutine may call it.
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

// OnDrain starts fn as a task of the loop when the drain begins; soon, if it has begun. It is how to have something
// end that does not look by itself: to close a client's connection, to tell peers. stop reports whether fn will not
// be started, as that of context.AfterFunc does. fn is not started if Run ends without a drain, nor does it keep the
// loop alive before. Where all tasks are cancelled at once, because of an error, it runs as a cancelled task. Any
// goroutine may call OnDrain and stop; neither parks.
func (l *Loop) OnDrain(fn func()) (stop func() bool) {
	wantFunc(fn != nil, "Loop.OnDrain")
	return l.engine().OnDrain(fn)
}
