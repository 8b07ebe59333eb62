//go:build linux

package socktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/sock"
)

// row is a method, or a way to call it.
type row struct {
	method string   // its name, and behind a slash what is special
	nets   []string // nil: all of its type
	// One of these three: what it delivers, what of p it sends, or neither.
	read  func(x *cell) ([]byte, error)
	write func(x *cell, p []byte) (int, error)
	ask   func(x *cell) error

	toEnd bool // read goes on until the stream's end
	short bool // write may send less than all
	small bool // what write sends is accepted, so that a peer which has no room for it when the loop ends never gets it
	raw   bool // bytes that the handle has received are out of its reach
	here  bool // bytes that have come are enough for it, whatever the deadline
	loose bool // of datagrams: the handle is connected to nobody
	stays bool // it answers also when the handle is gone
	ends  bool // it ends the handle
}

// cell is one call, and what happens to it.
type cell struct {
	*world
	*ends
	net *network
	who *caller
	row *row
	ev  *event

	conn   *sock.Conn // c, where it is one
	ln     *sock.Listener
	moved  *sock.Conn
	parted net.Conn

	want int    // how many bytes a read that takes so many is to take
	sent int    // how many the peer has sent
	here int    // of them, before the call
	got  []byte // what was delivered
	n    int    // what was sent, as the call says
	size int    // of what was to be sent
	err  error
	sink *sink // of what is sent

	spare    *ends // the other end of a copy
	spareNet net.Conn
	copied   *sink // what a copy brought there
	arrives  int   // how much that is, as the call says
	file     *os.File

	first time.Time // a deadline that is moved away
	late  bool      // it had passed by then

	before []byte // what a call before this one has read
	ahead  int    // and written

	firsts atomic.Int32 // calls of Close that were not told net.ErrClosed

	clean []func()
	report
}

// run runs the cell.
func (x *cell) run() error {
	e, err := x.net.connect(x.home.l, x.row.write != nil, x.row.loose)
	if err != nil {
		return err
	}
	x.ends = e
	x.conn, _ = e.c.(*sock.Conn)
	x.must("preparing", x.prepare())
	switch {
	case x.row.read != nil:
		x.readCell()
	case x.row.write != nil:
		x.writeCell()
	default:
		x.askCell()
	}
	x.close()
	return errors.Join(x.faults...)
}

// close closes what the cell has opened, which must be possible in any case.
func (x *cell) close() {
	x.closeHandle()
	x.peer.Close()
	for _, f := range x.clean {
		f()
	}
}

// closeHandle closes the handle, and what it has become.
func (x *cell) closeHandle() {
	x.inTime("Close", func() error {
		err := x.closed(x.c)
		if x.row.small && x.ev.ended { // it says that something was lost
			return nil
		}
		return err
	})
	x.closedOnce()
	if x.moved != nil {
		x.inTime("Close of what was moved", x.moved.Close)
		x.moved = nil
	}
	if x.parted != nil {
		x.inTime("Close of what was detached", x.parted.Close)
		x.parted = nil
	}
}

// closed calls Close, of which one call is the first and all others get net.ErrClosed.
func (x *cell) closed(c io.Closer) error {
	err := c.Close()
	if errors.Is(err, net.ErrClosed) && !errors.Is(err, ringo.ErrEnded) { // that says that something was lost
		return nil
	}
	x.firsts.Add(1)
	return err
}

// closedOnce looks at how many were the first, whoever began the close.
func (x *cell) closedOnce() {
	if n := x.firsts.Load(); n != 1 {
		x.fault("%d calls of Close were the first", n)
	}
}

// call has the caller make the call, and the event come over it.
func (x *cell) call(f func()) bool {
	if x.ev.sleeps {
		call := f
		f = func() { x.own().Sleep(time.Hour); call() }
	}
	if x.ev.first != nil {
		call := f
		f = func() { x.ev.first(x); call() }
	}
	if x.ev.before != nil {
		x.ev.before(x)
	}
	p := x.who.start(x.world, x.ev.limit, f)
	if x.who.on == nil || x.ev.limit == 0 {
		<-p.begun
	}
	x.settle()
	if x.ev.act != nil {
		x.ev.act(x, p)
	}
	if err := within("the call", p.done); err != nil {
		x.faults = append(x.faults, err)
		return false
	}
	return true
}

// enough reports whether the call needs no more than what has come before.
func (x *cell) enough() bool { return x.row.here && x.ev.partial && x.here >= x.want }

// judge looks at the error of a call that the event came over.
func (x *cell) judge(done bool) {
	if x.err == nil {
		if !done {
			x.fault("the call gives neither an error nor all that it was to do (%d bytes)", len(x.got)+x.n)
		} else if x.ev.fails && !x.row.short && !x.row.small && !x.enough() {
			// of those, a few bytes may find room a moment later
			x.fault("the call succeeds, which could not be")
		}
		return
	}
	for _, want := range x.ev.errors(x) {
		if !x.enough() && errors.Is(x.err, want) {
			return
		}
	}
	x.fault("the call's error is %w", x.err)
}

// streamLen is how much the peer sends to readers in all.
const streamLen = 10 * unit

func (x *cell) readCell() {
	if x.want = unit; !x.net.records {
		x.want = 2 * unit
	}
	if x.ev.partial {
		x.handOver()
		x.leaveSome()
	}
	var first func()
	if x.ev.queued {
		first = x.goFirst(func() (int, error) {
			p := make([]byte, room)
			n, err := x.c.Read(p)
			x.before = p[:n]
			return n, err
		}, func() {
			x.must("the peer", x.send(0, unit))
			x.sent = unit
		})
	}
	if x.call(func() { x.got, x.err = x.row.read(x) }) {
		x.arrived()
		x.ev.over(x)
		x.judge(len(x.got) > 0 || x.row.toEnd)
		if first != nil {
			first()
			x.got = append(x.before, x.got...)
		}
		x.again(func() error { _, err := x.row.read(x); return err })
		x.rest()
	}
	x.must("what came", isStream(x.got))
	if len(x.got) > x.sent {
		x.fault("%d bytes came of %d", len(x.got), x.sent)
	}
}

// another is a kind of callers whose turn is not the cell's caller's: one of the loop's tasks, or none.
func (x *cell) another() *caller {
	if x.who.own {
		return callers[3]
	}
	return callers[0]
}

// handOver has another caller take its turn in both directions, so that they are not where the call finds
// them otherwise.
func (x *cell) handOver() {
	x.must("a turn", x.another().run(x.world, func() {
		raw, err := x.c.SyscallConn()
		if err == nil {
			at := func(uintptr) bool { return true }
			err = errors.Join(raw.Read(at), raw.Write(at))
		}
		x.must("a turn", err)
	}))
}

// goFirst has another caller begin a call, behind which the cell's waits for its turn. What it gives ends
// that call: it lets it have what it waits for, unless the event has ended it.
func (x *cell) goFirst(call func() (int, error), provide func()) (end func()) {
	var n int
	var err error
	p := x.another().start(x.world, 0, func() { n, err = call() })
	<-p.begun
	x.settle()
	return func() {
		if !x.ev.gone {
			provide()
		}
		if hung := within("the call before", p.done); hung != nil {
			x.faults = append(x.faults, hung)
			return
		}
		switch {
		case !x.ev.gone && (err != nil || n == 0):
			x.fault("the call before gives %d, %w", n, err)
		case x.ev.gone && !errors.Is(err, net.ErrClosed) && !(x.ev.ended && errors.Is(err, context.Canceled)):
			x.fault("the call before gives %w", err)
		}
	}
}

// leaveSome has the peer send less than a read may want, and another caller look at it, so that
// it lies with one who does not read it.
func (x *cell) leaveSome() {
	n := unit
	if !x.net.records {
		n += unit / 2
	}
	x.must("the peer", x.send(0, n))
	x.sent, x.here = n, n
	if x.conn == nil {
		return
	}
	another := x.another()
	x.must("Peek by a "+another.name, another.run(x.world, func() {
		if p, err := x.conn.Peek(n); err != nil || len(p) != n {
			x.fault("Peek(%d) by a %s = %d bytes, %w", n, another.name, len(p), err)
		}
	}))
}

// rest reads all that the call has left, where it can still be had.
func (x *cell) rest() {
	var from io.Reader = x.c
	switch {
	case x.moved != nil:
		from = x.moved
	case x.parted != nil:
		from = x.parted
	case x.ev.gone:
		return
	}
	x.must("the peer", x.send(x.sent, streamLen-x.sent))
	x.sent = max(x.sent, streamLen)
	if !x.net.packets {
		x.must("the peer", x.endStream())
	}
	x.inTime("the rest", func() error {
		p := make([]byte, 4096)
		for len(x.got) < x.sent {
			n, err := from.Read(p)
			if x.got = append(x.got, p[:n]...); err != nil {
				return fmt.Errorf("%d bytes came of %d: %w", len(x.got), x.sent, err)
			}
		}
		return nil
	})
}

func (x *cell) writeCell() {
	if x.size = 3*x.in + 1<<16; x.net.records {
		x.size = recordSize
	}
	x.sink = collect(x.peer)
	if !x.net.fills() {
		x.sink.open()
	}
	if x.ev.partial {
		x.handOver()
	}
	var first func()
	p := stream(x.in, x.size) // before anybody begins: to make it takes long
	if x.ev.queued {          // what the first writes is what the call would have written
		first = x.goFirst(func() (n int, err error) {
			if x.row.loose {
				x.ahead, err = x.c.(net.PacketConn).WriteTo(p, x.to)
			} else {
				x.ahead, err = x.c.Write(p)
			}
			return x.ahead, err
		}, x.sink.open)
	}
	ok := x.call(func() { x.n, x.err = x.row.write(x, p) })
	if ok {
		x.ev.over(x)
		x.judge(x.n == x.size || x.row.short && x.n > 0)
		if x.net.records && x.n != 0 && x.n != x.size {
			x.fault("a record of %d bytes went out as one of %d", x.size, x.n)
		}
		if first != nil {
			first()
			x.n += x.ahead
		}
		x.again(func() error { _, err := x.row.write(x, p); return err })
	}
	x.sink.open()
	if x.net.packets {
		x.inTime("what went out", func() error { x.sink.awaitBytes(x.in + x.n); return nil })
		x.peer.SetDeadline(time.Now().Add(time.Millisecond))
	} else {
		x.closeHandle()
	}
	x.must("the peer", within("the peer's end of stream", x.sink.done))
	x.must("what came", isStream(x.sink.got))
	lost := x.row.small && x.who.own && x.ev.ended && len(x.sink.got) < x.in+x.n
	if ok && len(x.sink.got) != x.in+x.n && !(x.ev.dead && len(x.sink.got) > x.in+x.n) && !lost {
		x.fault("%d bytes came, and %d went out, after %d", len(x.sink.got)-x.in, x.n, x.in)
	}
}

// again makes the call once more where the handle is gone.
func (x *cell) again(call func() error) {
	if !x.ev.gone || x.who.own && x.ev.ended {
		return
	}
	var err error
	x.must("the call again", x.who.run(x.world, func() { err = call() }))
	if !errors.Is(err, net.ErrClosed) {
		x.fault("the call again gives %w, want net.ErrClosed", err)
	}
	x.saysEnded(err)
}

// saysEnded looks at the error of a call that came when the loop had ended.
func (x *cell) saysEnded(err error) {
	if x.ev.ended && err != nil && !errors.Is(err, ringo.ErrEnded) {
		x.fault("behind its loop the call gives %w, want ringo.ErrEnded", err)
	}
}

func (x *cell) askCell() {
	over := x.ev.act
	if x.row.ends || !x.ev.gone {
		ev := *x.ev
		if !ev.gone && !ev.cancels {
			ev.act = nil
		}
		x.ev = &ev
		if x.call(func() { x.err = x.row.ask(x) }) {
			x.ev.over(x)
			x.judgeAsked(!x.row.ends && ev.gone)
		}
		return
	}
	p := callers[3].start(x.world, 0, func() {})
	over(x, p) // then the handle is gone
	x.ev.over(x)
	if x.who.own && x.ev.ended {
		return // nobody is left to call
	}
	x.must("the call", x.who.run(x.world, func() { x.err = x.row.ask(x) }))
	x.judgeAsked(true)
	x.saysEnded(x.err)
}

// judgeAsked looks at the answer of a method that does not wait.
func (x *cell) judgeAsked(gone bool) {
	switch {
	case x.err == nil && gone && !x.row.stays:
		x.fault("it answers though the handle is gone")
	case x.err == nil:
	case gone && errors.Is(x.err, net.ErrClosed):
	case x.row.ends && (errors.Is(x.err, net.ErrClosed) || x.ev.ended):
	case x.ev.cancels && errors.Is(x.err, context.Canceled):
	default:
		x.fault("it gives %w", x.err)
	}
}

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
		x.first = time.Now().Add(5 * time.Millisecond)
		x.others("SetDeadline", func() error { return x.setDeadline(x.first) })
	}, act: func(x *cell, p *pending) {
		held, release := make(chan struct{}), make(chan struct{})
		x.home.l.Post(func() { close(held); <-release })
		<-held
		x.must("SetDeadline", x.setDeadline(time.Time{})) // the loop hears of it when its timer has fired
		x.late = time.Now().After(x.first)
		time.Sleep(time.Until(x.first.Add(time.Millisecond)))
		close(release)
		provide(x, p)
	}, errors: func(x *cell) []error {
		if x.late { // a slow day: it proves nothing
			return timedOut(x)
		}
		return nil
	}, over: undeadline},
	{name: "deadline-flickers", errors: timedOut, act: func(x *cell, p *pending) {
		for range 200 {
			x.must("SetDeadline", errors.Join(x.setDeadline(longAgo), x.setDeadline(time.Time{})))
		}
		provide(x, p)
	}, over: undeadline},
	{name: "deadline-past", fails: true, errors: timedOut, first: deadlined(longAgo), over: undeadline},
	{name: "deadline-past-partial", partial: true, fails: true, errors: timedOut, over: undeadline,
		before: func(x *cell) { expire(x, nil) }},
	{name: "deadline-ahead", fails: true, errors: timedOut, over: undeadline,
		before: func(x *cell) { x.others("SetDeadline", func() error { return x.setDeadline(soon()) }) }},
	{name: "deadline-ahead-partial", partial: true, errors: timedOut, over: undeadline,
		first: func(x *cell) { deadlined(soon())(x) },
		act:   func(x *cell, _ *pending) { x.someGoes() }},
	{name: "close", gone: true, fails: true, errors: closed, over: nothing, act: closes},
	{name: "move", conns: true, gone: true, fails: true, errors: closed, over: nothing, act: func(x *cell, _ *pending) {
		x.byTask("MoveTo", func() (err error) { x.moved, err = x.conn.MoveTo(x.other.l); return err })
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
	if x.who.own {
		x.inTime("Close by a goroutine", func() error { return x.closed(x.c) })
	} else {
		x.byTask("Close", func() error { return x.closed(x.c) })
	}
}

func detaches(x *cell, _ *pending) {
	if x.row.small && x.who.own { // the peer has to take what was accepted
		x.sink.open()
	}
	x.byTask("DetachConn", func() (err error) { x.parted, err = x.conn.DetachConn(); return err })
	if x.parted != nil {
		x.parted.SetDeadline(time.Now().Add(patience))
	}
}

// soon is a deadline that passes while a call waits.
func soon() time.Time { return time.Now().Add(2 * time.Millisecond) }

// deadlined sets the handle's deadlines.
func deadlined(at time.Time) func(x *cell) {
	return func(x *cell) { x.must("SetDeadline", x.setDeadline(at)) }
}

func expire(x *cell, _ *pending) {
	x.others("SetDeadline", func() error { return x.setDeadline(longAgo) })
}

// setDeadline sets the deadlines of what the cell is about.
func (x *cell) setDeadline(at time.Time) error {
	if x.ln != nil {
		return x.ln.SetDeadline(at)
	}
	return x.c.SetDeadline(at)
}

// idle says that nothing is under way on the connection, and busy that something is.
func idle(x *cell) { x.others("SetIdle", func() error { return x.conn.SetIdle(true) }) }
func busy(x *cell) { x.others("SetIdle", func() error { return x.conn.SetIdle(false) }) }

// drain has the handle's loop drain, and waits until it does.
func drain(x *cell) {
	x.home.cancel()
	if _, err := x.home.l.Draining().Recv(); err != ringo.ErrClosed {
		x.fault("Draining: %v", err)
	}
	x.home.do(func() {})
}

func undeadline(x *cell) { x.must("SetDeadline", x.setDeadline(time.Time{})) }

// others has somebody run f who is of another kind than the caller: a goroutine, or a task of the handle's loop.
func (x *cell) others(what string, f func() error) {
	if x.who.own {
		x.must(what, f())
	} else {
		x.byTask(what, f)
	}
}

// byTask runs f in a task of the handle's loop.
func (x *cell) byTask(what string, f func() error) {
	var err error
	if hung := callers[0].run(x.world, func() { err = f() }); hung != nil {
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

// own is the caller's own loop.
func (x *cell) own() *ringo.Loop { return x.who.on(x.world).l }
