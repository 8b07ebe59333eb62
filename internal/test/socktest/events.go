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

// event is what happens to a call.
type event struct {
	name    string
	tasks   bool          // only tasks know it
	conns   bool          // only connections
	limit   time.Duration // of WithTimeout
	partial bool          // some bytes are there, or gone, before
	queued  bool          // another call is under way, so that this one waits for its turn
	cancels bool
	sleeps  bool // the call begins when the event is over
	fails   bool // no call that waits can succeed
	comes   bool // what the call waits for does, at once and whole
	gone    bool // the handle is, behind it
	ended   bool // and its loop
	dead    bool // of its driver's death
	drains  bool // the handle's loop does

	before func(x *cell) // what somebody else does before the call
	first  func(x *cell) // what the caller does
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
	// ended is what calls get whose loop ends: its own tasks are cancelled.
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
			err := x.setDeadline(time.Time{}) // the loop hears of it when its timer has fired
			x.late = x.now().After(x.first)
			return err
		}, nil))
		provide(x, p)
	}, errors: func(x *cell) []error {
		if x.late { // a slow day: it proves nothing
			return timedOut(x)
		}
		return nil
	}, over: undeadline},
	{name: "deadline-late", comes: true, act: func(x *cell, p *pending) {
		x.first = x.now().Add(5 * time.Millisecond)
		x.must("SetDeadline", x.stand(x.home, x.first.Add(x.travels()), func() error {
			err := x.setDeadline(x.first)
			x.late = x.now().After(x.first) // it may have passed when it was set: a slow day
			return err
		}, func() {
			provide(x, p)
			x.late = x.late || x.mayBeLate() // the loop looks when both have come, and must not say that it is
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

// withQueued adds some of the events once more, where the call waits for its turn.
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

// closes has somebody of another kind close the handle.
func closes(x *cell, _ *pending) {
	x.letOut()
	if x.who.own {
		x.inTime(x.home.l, "Close by somebody else", func() error { return x.closed(x.c) })
	} else {
		x.byTask("Close", func() error { return x.closed(x.c) })
	}
}

// letOut has the peer take what callbacks have written, before which the connection does not end.
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

// soon is a deadline that passes while a call waits.
func soon(p place) time.Time { return p.now().Add(2 * time.Millisecond) }

// deadlined sets the handle's deadlines.
func deadlined(at time.Time) func(x *cell) {
	return func(x *cell) { x.must("SetDeadline", x.setDeadline(at)) }
}

func expire(x *cell, _ *pending) {
	x.others("SetDeadline", func() error { return x.setDeadline(longAgo) })
}

// travels is how long what was sent may take.
func (x *cell) travels() time.Duration {
	if s, ok := x.place.(*simulated); ok && s.stormy { // it gets lost, and is sent again
		return virtualMax / 2
	}
	return time.Millisecond
}

// mayBeLate reports whether the deadline may have passed before what the caller waits for was there. A caller whose
// loop stood still meanwhile finds both.
func (x *cell) mayBeLate() bool {
	if s, ok := x.place.(*simulated); ok && s.away == s.here && (s.stormy || s.here.Calls.ShortSend > 0) {
		return true // the peer stands still as well, and may have sent only a part
	}
	return x.who.on == nil || !x.who.own && x.now().After(x.first) // a goroutine's may not have begun
}

// setDeadline sets the deadlines of what the cell is about.
func (x *cell) setDeadline(at time.Time) error {
	if x.ln != nil {
		return x.ln.SetDeadline(at)
	}
	return x.c.SetDeadline(at)
}

// idle says that nothing is under way on the connection, and busy that something is.
func idle(x *cell) { x.others("SetIdle", func() error { return x.stream.SetIdle(true) }) }
func busy(x *cell) { x.others("SetIdle", func() error { return x.stream.SetIdle(false) }) }

// drain has the handle's loop drain, and waits until it does.
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

// others has somebody run f who is of another kind than the caller: a goroutine, or a task of the handle's loop.
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

// someGoes lets a part of a write go out, where a write has parts.
func (x *cell) someGoes() {
	if x.row.write != nil && !x.net.records {
		x.sink.allow(x.in)
		x.settle()
	}
}
