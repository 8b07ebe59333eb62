package event

// activity is something that may still call somebody, and is no connection: a listener, a timer. It is embedded in
// what it is of.
type activity struct {
	e          *Loop
	prev, next *activity
	of         stopper
	endless    bool // it goes on until somebody ends it
	unref      bool // nobody waits for it
}

// Unref makes Loop.Wait, and with it Run, not wait for it: once nothing else is active the loop is stopped. Everything
// else stays as it is. It may be called at any time, even while not active, and repeatedly.
func (a *activity) Unref() {
	a.e.here("Unref")
	if a.isActive() {
		a.count(-1)
	}
	a.unref = true
	a.e.settle()
}

// Ref undoes Unref.
func (a *activity) Ref() {
	a.e.here("Ref")
	if !a.unref {
		return
	}
	if a.unref = false; a.isActive() {
		a.count(1)
	}
}

// stopper is what an activity is of.
type stopper interface {
	// stop ends it, soon if not at once. Nobody is told.
	stop()
}

// begin makes something active.
func (e *Loop) begin(a *activity, of stopper) {
	if a.of != nil {
		return
	}
	a.of = of
	a.prev, a.next = nil, e.others
	if e.others != nil {
		e.others.prev = a
	}
	e.others = a
	a.count(1)
}

// isActive reports whether it was begun and is not done.
func (a *activity) isActive() bool { return a.of != nil }

// done makes it active no more.
func (e *Loop) done(a *activity) {
	if a.of == nil {
		return
	}
	if a.prev == nil {
		e.others = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.prev, a.next, a.of = nil, nil, nil
	a.count(-1)
	e.settle()
}

// count has it counted among what Wait waits for, or no longer.
func (a *activity) count(by int) {
	if a.unref {
		return
	}
	a.e.count(by)
	if a.endless {
		a.e.endless += by
	}
}

// count counts what is active. On a loop of Run that alone keeps the loop from ending, too: tasks may begin something
// when Wait has returned.
func (e *Loop) count(by int) {
	before := e.active > 0
	e.active += by
	switch after := e.active > 0; {
	case !e.whole || before == after:
	case after:
		e.l.Handles().Hold(1)
	default:
		e.l.Handles().Hold(-1)
	}
}

// settle is for when less is active, or the drain has begun: it lets those go on who wait for the end, or has the
// runner bring it about. The runner, because here others may be in the midst of something.
func (e *Loop) settle() {
	if e.others == nil && e.conns.first == nil {
		e.reopen()
	}
	if e.active == 0 {
		e.wakeWaiting()
	}
	if e.isIdling() || e.hasRest() {
		e.start()
	}
}

// isIdling reports whether the loop drains, and what somebody waits for the end of is only what never ends by itself.
func (e *Loop) isIdling() bool {
	return e.active == e.endless && e.active > 0 && (e.whole || !e.waiting.Empty()) && e.l.Draining()
}

// stopAll stops all of them.
func (e *Loop) stopAll() {
	for a := e.others; a != nil; {
		next := a.next
		a.of.stop()
		a = next
	}
}
