package event

// Stop ends everything that is active: connections are closed, bytes that the sockets have no room for are dropped, for
// which TCP connections are reset as by Conn.Abort, and OnClose is called with ErrStopped. Then Wait returns. Anything
// started before Wait has returned, such as a dial by an OnClose, fails, so that the loop ends: methods that return an
// error return ErrStopped; for Dial, DialPacket, Accept and Receive only OnClose is called, and for Go the function for
// the result, with ErrStopped; timers, hooks and Wakers never call. Anything that these callbacks start fails as well,
// without a callback. If no task is in Wait, this lasts until everything that was active has ended; on a loop of Run,
// and when Config.Grace is over, it is permanent.
func (e *Loop) Stop() {
	e.here("Loop.Stop")
	e.final = e.final || e.whole
	e.closeAll()
}

// closeAll ends everything that is active.
func (e *Loop) closeAll() {
	e.stopped = true
	e.stopAll()
	for c := e.conns.first; c != nil; c = c.next {
		c.fail(byLoop)
	}
	e.settle() // in case nothing was
}

// refuses reports whether a call that starts something now is to be refused.
func (e *Loop) refuses() bool { return e.stopped || e.l.Stopping() }

// reopen lets things be started again after a stop, unless a task or callback is still in the middle of its end.
func (e *Loop) reopen() {
	if e.holds == 0 && !e.final {
		e.stopped = false
	}
}

// refusal is the callback that reports a refusal to a caller that got no error.
type refusal struct {
	activity
	tell func()
}

// refuse makes tell be called soon. It does nothing for what such a callback itself starts: a program that starts anew
// whenever it is refused would go on forever.
func (e *Loop) refuse(tell func()) {
	if _, again := e.running.(*refusal); again && e.l.Task() == e.task {
		return
	}
	r := &refusal{activity: activity{e: e}, tell: tell}
	e.begin(&r.activity, r)
	e.push(r)
}

func (r *refusal) run() { r.e.endBy(&r.activity, r.tell) }

// stop does nothing: a refusal ends by itself.
func (*refusal) stop() {}

// endBy ends an activity, and calls tell. A stop that is under way goes on until tell returns, so it refuses what tell
// starts.
func (e *Loop) endBy(a *activity, tell func()) {
	e.holds++
	defer e.release()
	e.done(a)
	tell()
}

// release lets a stop end.
func (e *Loop) release() {
	e.holds--
	e.settle()
}
