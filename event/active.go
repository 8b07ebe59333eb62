package event

// activity is something that may still call somebody, and is no connection: a listener, a timer. It is embedded in
// what it is of.
type activity struct {
	prev, next *activity
	of         stopper
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
	e.active++
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
	*a = activity{}
	if e.active--; e.active == 0 {
		e.wakeWaiting()
	}
}

// stopAll stops all of them.
func (e *Loop) stopAll() {
	for a := e.others; a != nil; {
		next := a.next
		a.of.stop()
		a = next
	}
}
