package event

// activity is a source of callbacks other than a connection, such as a listener or a timer. It is embedded in its
// source.
type activity struct {
	e          *Loop
	prev, next *activity
	of         stopper
	endless    bool // it never ends by itself
	unref      bool // Wait does not wait for it
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

// stopper is the source that an activity belongs to.
type stopper interface {
	// stop ends it, soon if not at once, and calls no callback.
	stop()
}

// begin makes a source active.
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

// isActive reports whether it was begun and has not ended.
func (a *activity) isActive() bool { return a.of != nil }

// done ends a source's activity.
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

// count adds by to the number of activities that Wait waits for.
func (a *activity) count(by int) {
	if a.unref {
		return
	}
	a.e.count(by)
	if a.endless {
		a.e.endless += by
	}
}

// count adds by to the number of activities. On a loop of Run they keep the loop itself from ending, too, because tasks
// may begin something after Wait has returned.
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

// settle is called when fewer activities are left, or the drain has begun. It resumes tasks that wait for the end, or
// starts the runner to bring it about. It leaves that to the runner because its own callers may be in the middle of
// something.
func (e *Loop) settle() {
	if e.others == nil && e.conns.first == nil {
		e.reopen()
	}
	if e.active == 0 {
		e.waiting.ReadyAll()
	}
	if e.isIdling() || e.hasRest() {
		e.start()
	}
}

// isIdling reports whether the loop drains, and a task, or Run, waits only for sources that never end by themselves.
func (e *Loop) isIdling() bool {
	return e.active == e.endless && e.active > 0 && (e.whole || !e.waiting.Empty()) && e.l.Draining()
}

// stopAll stops all sources but connections.
func (e *Loop) stopAll() {
	for a := e.others; a != nil; {
		next := a.next
		a.of.stop()
		a = next
	}
}
