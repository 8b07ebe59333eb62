package event

// Stop ends everything that is active: connections are closed, bytes that the sockets have no room for are dropped, and
// OnClose is called with ErrStopped. Then Wait returns. Anything started before Wait has returned, such as a dial by an
// OnClose, fails, so that the loop ends: methods that return an error return ErrStopped; for Dial, DialPacket, Accept
// and Receive only OnClose is called, and for Go the function for the result, with ErrStopped; timers, hooks and Wakers
// never call. Anything that these callbacks start fails as well, without a callback. If no task is in Wait, this lasts
// until everything that was active has ended; on a loop of Run, and when Config.Grace is over, it is permanent.
func (e *Loop) Stop() {
	e.here("Loop.Stop")
	e.closeAll()
}

// closeAll ends what is active.
func (e *Loop) closeAll() {
	e.stopped = true
	e.stopAll()
	for c := e.conns.first; c != nil; c = c.next {
		c.fail(byLoop)
	}
	e.settle() // if there was nothing
}

// refuses reports whether what is begun now is to be refused.
func (e *Loop) refuses() bool { return e.stopped || e.l.Stopping() }

// reopen has things be begun again behind a stop, unless somebody is in the midst of its end.
func (e *Loop) reopen() {
	if e.holds == 0 && !e.final {
		e.stopped = false
	}
}

// refusal is the word that something was refused, to whom no error could be returned.
type refusal struct {
	activity
	tell func()
}

// refuse has tell be called soon; but not for what is begun by somebody who is being told such a thing: who begins
// anew whatever he is told would go on for ever.
func (e *Loop) refuse(tell func()) {
	if _, again := e.running.(*refusal); again && e.l.Task() == e.task {
		return
	}
	r := &refusal{activity: activity{e: e}, tell: tell}
	e.begin(&r.activity, r)
	e.push(r)
}

func (r *refusal) run() { r.e.endBy(&r.activity, r.tell) }

// stop leaves it, which ends by itself.
func (*refusal) stop() {}

// endBy makes something active no more, and tells of it. What that begins comes before the end of a stop.
func (e *Loop) endBy(a *activity, tell func()) {
	e.holds++
	defer e.release()
	e.done(a)
	tell()
}

// release ends what has kept a stop from being over.
func (e *Loop) release() {
	e.holds--
	e.settle()
}
