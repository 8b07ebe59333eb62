//go:build linux

package socktest

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"ringo"
	evt "ringo/event"
	"ringo/internal/test/patience"
)

// event is what happens during a call.
type event struct {
	name    string
	tasks   bool          // it applies only to callers that are tasks
	conns   bool          // it applies only to connections
	limit   time.Duration // the limit of WithTimeout
	partial bool          // some bytes have been received, or sent, before
	queued  bool          // another call is under way, so that this one has to wait for its turn
	cancels bool
	sleeps  bool // the call begins only when the event is over
	fails   bool // a call that has to wait can't succeed
	comes   bool // what the call waits for comes at once and whole
	gone    bool // afterwards the handle is closed
	ended   bool // afterwards its loop has ended
	dead    bool // because its driver died
	drains  bool // the handle's loop drains

	before func(x *cell) // done by another caller before the call
	first  func(x *cell) // done by the caller itself before the call
	act    func(x *cell, p *pending)
	errors func(x *cell) []error
	// over undoes what the event did, once the call has ended.
	over func(x *cell)
}

var (
	none     = func(*cell) []error { return nil }
	timedOut = func(*cell) []error { return []error{os.ErrDeadlineExceeded} }
	canceled = func(*cell) []error { return []error{context.Canceled} }
	closed   = func(*cell) []error { return []error{net.ErrClosed} }
	draining = func(*cell) []error { return []error{ringo.ErrDraining} }
	// ended is the error of calls whose loop ends. Tasks of that loop are cancelled, too.
	ended = func(x *cell) []error {
		if x.who.callbacks && x.ln == nil {
			return []error{evt.ErrStopped}
		}
		if x.who.own {
			return []error{context.Canceled, net.ErrClosed}
		}
		return []error{net.ErrClosed}
	}
)

func nothing(*cell) {}

var events = withQueued([]*event{
	{name: "plain", errors: none, act: provide, over: nothing},
	{name: "partial", partial: true, errors: none, act: provide, over: nothing},
	{name: "partial-cancel", tasks: true, partial: true, errors: canceled, over: nothing,
		act: func(x *cell, p *pending) {
			x.someGoes()
			p.task.Cancel()
		}},
	{name: "partial-deadline", partial: true, errors: timedOut, act: func(x *cell, p *pending) {
		x.someGoes()
		expire(x, p)
	}, over: undeadline},
	{name: "cancel", tasks: true, cancels: true, fails: true, errors: canceled, over: nothing,
		act: func(x *cell, p *pending) { p.task.Cancel() }},
	{name: "canceled-before", tasks: true, cancels: true, sleeps: true, fails: true, errors: canceled, over: nothing,
		act: func(x *cell, p *pending) { p.task.Cancel() }},
	{name: "timeout", tasks: true, limit: 2 * time.Millisecond, fails: true, errors: timedOut, over: nothing},
	{name: "deadline-moved", fails: true, errors: timedOut, act: expire, over: undeadline},
	{name: "deadline-away", before: func(x *cell) {
		x.first = x.now().Add(5 * time.Millisecond)
		x.others("SetDeadline", func() error { return x.setDeadline(x.first) })
	}, act: func(x *cell, p *pending) {
		x.must("SetDeadline", x.stand(x.home, x.first.Add(time.Millisecond), func() error {
			err := x.setDeadline(time.Time{}) // the loop learns of it only after its timer has fired
			x.late = x.now().After(x.first)
			return err
		}, nil))
		provide(x, p)
	}, errors: func(x *cell) []error {
		if x.late { // the machine was too slow, and the cell proves nothing
			return timedOut(x)
		}
		return nil
	}, over: undeadline},
	{name: "deadline-late", comes: true, act: func(x *cell, p *pending) {
		x.first = x.now().Add(5 * time.Millisecond)
		x.must("SetDeadline", x.stand(x.home, x.first.Add(x.travels()), func() error {
			err := x.setDeadline(x.first)
			x.late = x.now().After(x.first) // on a slow machine it may have passed already when it was set
			return err
		}, func() {
			provide(x, p)
			x.late = x.late || x.mayBeLate() // the loop looks when both have come, and must then not report a timeout
		}))
	}, errors: func(x *cell) []error {
		if x.late {
			return timedOut(x)
		}
		return nil
	}, over: undeadline},
	{name: "deadline-flickers", errors: timedOut, act: func(x *cell, p *pending) {
		for range 200 {
			x.inTime(x.home.l, "SetDeadline", func() error {
				return errors.Join(x.setDeadline(longAgo), x.setDeadline(time.Time{}))
			})
		}
		provide(x, p)
	}, over: undeadline},
	{name: "deadline-past", fails: true, errors: timedOut, first: deadlined(longAgo), over: undeadline},
	{name: "deadline-past-partial", partial: true, fails: true, errors: timedOut, over: undeadline,
		before: func(x *cell) { expire(x, nil) }},
	{name: "deadline-ahead", fails: true, errors: timedOut, over: undeadline,
		before: func(x *cell) { x.others("SetDeadline", func() error { return x.setDeadline(soon(x)) }) }},
	{name: "deadline-ahead-partial", partial: true, errors: timedOut, over: undeadline,
		first: func(x *cell) { deadlined(soon(x))(x) },
		act:   func(x *cell, _ *pending) { x.someGoes() }},
	{name: "close", gone: true, fails: true, errors: closed, over: nothing, act: closes},
	{name: "move", conns: true, gone: true, fails: true, errors: closed, over: nothing, act: func(x *cell, _ *pending) {
		x.letOut()
		x.byTask("MoveTo", func() (err error) { x.moved, err = x.stream.MoveTo(x.other.l); return err })
	}},
	{name: "detach", conns: true, gone: true, fails: true, errors: closed, over: nothing, act: detaches},
	{name: "partial-close", partial: true, gone: true, errors: closed, over: nothing,
		act: func(x *cell, p *pending) {
			x.someGoes()
			closes(x, p)
		}},
	{name: "partial-detach", conns: true, partial: true, gone: true, errors: closed, over: nothing,
		act: func(x *cell, p *pending) {
			x.someGoes()
			detaches(x, p)
		}},
	{name: "drain", drains: true, fails: true, errors: draining, over: busy,
		before: idle, act: func(x *cell, _ *pending) { drain(x) }},
	{name: "drain-before", drains: true, fails: true, errors: draining, over: busy, before: func(x *cell) {
		drain(x)
		idle(x)
	}},
	{name: "drain-partial", drains: true, partial: true, errors: draining, over: busy, before: idle,
		act: func(x *cell, _ *pending) { drain(x) }},
	{name: "loop-end", gone: true, ended: true, fails: true, errors: ended, over: nothing,
		act: func(x *cell, _ *pending) {
			x.must("Run", x.home.end())
		}},
	{name: "driver-death", gone: true, ended: true, dead: true, fails: true, errors: ended, over: nothing,
		act: func(x *cell, _ *pending) {
			x.home.driver.Die(errDead)
			if err := x.home.wait(); !errors.Is(err, errDead) {
				x.fault("Run on a driver that died: %w", err)
			}
		}},
})

// withQueued adds a variant of some events in which the call has to wait for its turn.
func withQueued(events []*event) []*event {
	for _, ev := range events {
		switch ev.name {
		case "cancel", "canceled-before", "timeout", "close", "loop-end", "driver-death":
			queued := *ev
			queued.name, queued.queued = ev.name+"-queued", true
			events = append(events, &queued)
		}
	}
	return events
}

var longAgo = time.Unix(1, 0)

// closes makes another kind of caller close the handle.
func closes(x *cell, _ *pending) {
	x.letOut()
	if x.who.own {
		x.inTime(x.home.l, "Close by somebody else", func() error { return x.closed(x.c) })
	} else {
		x.byTask("Close", func() error { return x.closed(x.c) })
	}
}

// letOut makes the peer read what callbacks have written: the connection does not end before that is sent.
func (x *cell) letOut() {
	if x.who.callbacks && x.row.write != nil {
		x.sink.open()
	}
}

func detaches(x *cell, _ *pending) {
	if x.row.small && x.who.own { // the peer has to take what was accepted
		x.sink.open()
	}
	x.letOut()
	x.byTask("DetachConn", func() (err error) { x.parted, err = x.stream.DetachConn(); return err })
	if x.parted != nil {
		x.parted.SetDeadline(x.now().Add(patience.Max))
	}
}

// soon returns a deadline that passes while a call waits.
func soon(p place) time.Time { return p.now().Add(2 * time.Millisecond) }

// deadlined returns a function that sets the handle's deadlines.
func deadlined(at time.Time) func(x *cell) {
	return func(x *cell) { x.must("SetDeadline", x.setDeadline(at)) }
}

func expire(x *cell, _ *pending) {
	x.others("SetDeadline", func() error { return x.setDeadline(longAgo) })
}

// travels returns how long sent bytes may take to arrive.
func (x *cell) travels() time.Duration {
	if s, ok := x.place.(*simulated); ok && s.stormy { // packets get lost, and are sent again
		return virtualMax / 2
	}
	return time.Millisecond
}

// mayBeLate reports whether the deadline may have passed before what the caller waits for had come. A caller whose loop
// stood still meanwhile finds both.
func (x *cell) mayBeLate() bool {
	if s, ok := x.place.(*simulated); ok && s.away == s.here && (s.stormy || s.here.Calls.ShortSend > 0) {
		return true // the peer stands still as well, and may have sent only a part
	}
	return x.who.on == nil || !x.who.own && x.now().After(x.first) // a goroutine's call may not have begun
}

// setDeadline sets the deadlines of the listener or handle under test.
func (x *cell) setDeadline(at time.Time) error {
	if x.ln != nil {
		return x.ln.SetDeadline(at)
	}
	return x.c.SetDeadline(at)
}

// idle marks the connection as idle, and busy as in use.
func idle(x *cell) { x.others("SetIdle", func() error { return x.stream.SetIdle(true) }) }
func busy(x *cell) { x.others("SetIdle", func() error { return x.stream.SetIdle(false) }) }

// drain makes the handle's loop drain, and waits until it does.
func drain(x *cell) {
	x.home.cancel()
	if _, err := x.home.l.Draining().Recv(); err != ringo.ErrClosed {
		x.fault("Draining: %v", err)
	}
	x.home.do(func() {})
}

func undeadline(x *cell) {
	x.inTime(x.home.l, "SetDeadline", func() error { return x.setDeadline(time.Time{}) })
}

// others runs f by another kind of caller than the cell's: a goroutine if that is a task of the handle's loop, else
// such a task.
func (x *cell) others(what string, f func() error) {
	if x.who.own {
		x.inTime(x.home.l, what, f)
	} else {
		x.byTask(what, f)
	}
}

// byTask runs f in a task of the handle's loop.
func (x *cell) byTask(what string, f func() error) {
	var err error
	by := callers[0]
	if x.who.callbacks {
		by = x.who
	}
	if hung := by.run(x.runs, func() { err = f() }); hung != nil {
		err = hung
	}
	if x.row.ends && errors.Is(err, net.ErrClosed) {
		return // the call was first
	}
	x.must(what, err)
}

// provide lets the call have what it waits for.
func provide(x *cell, _ *pending) {
	switch {
	case x.ln != nil:
		x.dials()
	case x.row.write != nil:
		x.sink.open()
	case x.row.read != nil && !x.row.toEnd:
		n := max(x.want, 2*unit) - x.sent
		x.must("the peer", x.send(x.sent, n))
		x.sent += n
	case x.row.read != nil:
		x.must("the peer", x.send(x.sent, streamLen-x.sent))
		x.sent = streamLen
		x.must("the peer", x.endStream())
	}
}

// someGoes lets a part of a write be sent, unless the network has records.
func (x *cell) someGoes() {
	if x.row.write != nil && !x.net.records {
		x.sink.allow(x.in)
		x.settle()
	}
}
