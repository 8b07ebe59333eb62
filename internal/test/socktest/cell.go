//go:build linux

package socktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/sock"
)

// row is a method, or one way to call it.
type row struct {
	method string   // its name, with what is special about this way after a slash
	nets   []string // nil: all networks of the handle's type
	// One of these three is set: read returns what the method delivered, write returns how much of p it sent, and ask
	// is for methods that do neither.
	read  func(x *cell) ([]byte, error)
	write func(x *cell, p []byte) (int, error)
	ask   func(x *cell) error

	gives []error // errors that the method may return in addition to the event's

	toEnd bool // read goes on until the stream's end
	short bool // write may send less than all of p
	small bool // write only gets its bytes accepted: without room at the peer, the loop's end loses them
	raw   bool // the method can't reach bytes that the handle has already received
	here  bool // if enough bytes have come, it succeeds whatever the deadline
	loose bool // for datagrams: the handle is not connected
	stays bool // it still answers after the handle is closed
	ends  bool // it closes the handle
}

// cell is one call, and what happens during it.
type cell struct {
	trial
	*ends
	net *network
	row *row
	ev  *event

	listen  bool  // the cell is about a listener
	refused error // the error with which the place refuses the call, if it does

	conn   *sock.Conn // c, if it is a *sock.Conn
	stream streamConn // c, if it is a connection, of callbacks too
	ln     listener
	sockLn *sock.Listener // ln, if it is a *sock.Listener
	moved  *sock.Conn     // what the event has moved the connection to
	gone   *sock.Conn     // what the call has moved the connection to
	parted net.Conn

	want int    // how many bytes a read should deliver
	sent int    // how many bytes the peer has sent
	here int    // how many of them it sent before the call
	got  []byte // what the call delivered
	n    int    // how many bytes the call says it has sent
	size int    // how many bytes the call is to send
	err  error
	sink *sink // reads at the peer what the call sends

	spare    *ends // for a copy: the connection that it copies to
	spareNet net.Conn
	copied   *sink // what the copy brought there
	arrives  int   // how much that is, according to the call
	file     source

	first time.Time // a deadline that the event moves away
	late  bool      // first had passed before it was moved

	before []byte // what a call before this one has read
	ahead  int    // how much a call before this one has written

	turns int // for callbacks: which ways of acting they begin with

	firsts atomic.Int32 // calls of Close that did not return net.ErrClosed

	clean []func()
}

// run runs the cell.
func (x *cell) run() error {
	if x.listen {
		x.runListener()
		return errors.Join(x.faults...)
	}
	e, err := x.connect(x.runs, x.net, x.row.write != nil, x.row.loose)
	if err != nil {
		return err
	}
	x.ends = e
	x.know()
	x.must("preparing", x.prepare())
	if x.who.callbacks {
		if err := x.byCallbacks(); err != nil {
			return err
		}
	}
	switch {
	case x.refused != nil:
		x.refusedCell()
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

// know sets conn and stream, if the handle is a connection.
func (x *cell) know() {
	if x.conn, _ = x.c.(*sock.Conn); x.conn != nil {
		x.stream = taskConn{x.conn}
	}
}

// small reports whether bytes that the call sends may be accepted before they are sent.
func (x *cell) small() bool { return x.row.small || x.who.callbacks && x.row.write != nil }

// close closes everything that the cell has opened. That must succeed in every case.
func (x *cell) close() {
	x.closeHandle()
	x.peer.Close()
	for _, f := range x.clean {
		f()
	}
}

// closeHandle closes the handle, and the one that the event or the call has made of it.
func (x *cell) closeHandle() {
	if x.gone != nil {
		x.inTime(x.gone.Loop(), "Close of what the call has moved", x.gone.Close)
	}
	if x.ev.ended && !x.closes() {
		return
	}
	x.inTime(x.home.l, "Close", func() error {
		err := x.closed(x.c)
		if x.row.small && x.ev.ended { // Close reports that accepted bytes were lost
			return nil
		}
		return err
	})
	x.closedOnce()
	if x.moved != nil {
		x.inTime(x.moved.Loop(), "Close of what was moved", x.moved.Close)
		x.moved = nil
	}
	if x.parted != nil {
		x.inTime(nil, "Close of what was detached", x.parted.Close)
		x.parted = nil
	}
}

// closed calls Close. Exactly one call per handle may be the first; all others must return net.ErrClosed.
func (x *cell) closed(c io.Closer) error {
	err := c.Close()
	if errors.Is(err, net.ErrClosed) && !errors.Is(err, ringo.ErrEnded) { // ErrEnded: accepted bytes were lost
		return nil
	}
	x.firsts.Add(1)
	return err
}

// closedOnce checks that exactly one call of Close was the first, whichever caller made it.
func (x *cell) closedOnce() {
	if n := x.firsts.Load(); n != 1 {
		x.fault("%d calls of Close were the first", n)
	}
}

// call starts the call and then the event, and reports whether the call ended in time.
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
	p := x.who.start(x.runs, x.ev.limit, f)
	if x.who.on == nil || x.ev.limit == 0 {
		x.must("the call's begin", within("a "+x.who.name, p.begun))
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

// enough reports whether the bytes that came before the event are all that the call needs.
func (x *cell) enough() bool { return x.row.here && x.ev.partial && x.here >= x.want }

// judge checks the call's error against the event. done says whether the call did all that it was to do.
func (x *cell) judge(done bool) {
	if x.err == nil {
		if !done {
			x.fault("the call gives neither an error nor all that it was to do (%d bytes)", len(x.got)+x.n)
		} else if x.ev.fails && !x.row.short && !x.small() && !x.enough() {
			// the last three: a few bytes may find room a moment later, or are there already
			x.fault("the call succeeds, which could not be")
		}
		return
	}
	if (x.enough() && !x.mayLose()) || !x.foreseen(x.err) {
		x.fault("the call's error is %w", x.err)
	}
}

// mayLose reports whether the event may end the call or the handle before the call has taken bytes that are there. A
// caller that is no task of the handle's loop may have got anywhere by then.
func (x *cell) mayLose() bool { return (x.ev.gone || x.ev.cancels) && !x.who.own }

// foreseen reports whether the event or the row allows err.
func (x *cell) foreseen(err error) bool {
	want := slices.Concat(x.ev.errors(x), x.row.gives)
	return slices.ContainsFunc(want, func(want error) bool { return errors.Is(err, want) })
}

// streamLen is how many bytes the peer sends to a reader in all.
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

// handOver makes another caller use both directions, so that the call does not find them as its own caller's last call
// left them.
func (x *cell) handOver() {
	if x.who.callbacks { // callbacks have both directions anyway
		return
	}
	x.must("a turn", x.another(x.who).run(x.runs, func() {
		raw, err := x.c.SyscallConn()
		if err == nil {
			at := func(uintptr) bool { return true }
			err = errors.Join(raw.Read(at), raw.Write(at))
		}
		x.must("a turn", err)
	}))
}

// goFirst starts a call by another caller, so that the cell's call has to wait for its turn. The function that it
// returns waits for the end of that first call; unless the event has closed the handle, it calls provide before.
func (x *cell) goFirst(call func() (int, error), provide func()) (end func()) {
	var n int
	var err error
	p := x.another(x.who).start(x.runs, 0, func() { n, err = call() })
	x.must("the call before", within("its begin", p.begun))
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

// leaveSome makes the peer send less than a read may want, and another caller Peek at it. The bytes are then buffered
// with a caller that is not the one of the cell.
func (x *cell) leaveSome() {
	n := unit
	if !x.net.records {
		n += unit / 2
	}
	x.must("the peer", x.send(0, n))
	x.sent, x.here = n, n
	if x.stream == nil || x.who.callbacks && x.net.records { // callbacks take a record whole
		return
	}
	another := x.another(x.who)
	x.must("Peek by a "+another.name, another.run(x.runs, func() {
		if p, err := x.stream.Peek(n); err != nil || len(p) != n {
			x.fault("Peek(%d) by a %s = %d bytes, %w", n, another.name, len(p), err)
		}
	}))
}

// rest reads all that the call has left, as far as it can still be read.
func (x *cell) rest() {
	var from interface {
		io.Reader
		Loop() *ringo.Loop
	} = x.c
	switch {
	case x.moved != nil:
		from = x.moved
	case x.parted != nil:
		from = parted{x.parted}
	case x.ev.gone:
		return
	}
	x.must("the peer", x.send(x.sent, streamLen-x.sent))
	x.sent = max(x.sent, streamLen)
	if !x.net.packets {
		x.must("the peer", x.endStream())
	}
	x.inTime(from.Loop(), "the rest", func() error {
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
	x.sink = collect(x, x.peer)
	if !x.net.fills() {
		x.sink.open()
	}
	if x.ev.partial {
		x.handOver()
	}
	var first func()
	p := stream(x.in, x.size) // before the callers begin, because it takes long
	if x.ev.queued {          // the first writer sends what the call sends, too
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
		}
		x.again(func() error { _, err := x.row.write(x, p); return err })
	}
	x.sink.open()
	if x.net.packets {
		x.inTime(nil, "what went out", func() error { x.sink.awaitBytes(x.in + x.ahead + x.n); return nil })
		x.peer.SetDeadline(x.now().Add(time.Millisecond))
	} else {
		x.closeHandle()
	}
	x.must("the peer", within("the peer's end of stream", x.sink.done))
	if ok {
		x.must("what came", (&sent{in: x.in, ahead: x.ahead, n: x.n, more: x.ev.dead,
			less: x.small() && x.who.own && x.ev.ended}).check(x.sink.got))
	}
}

// again repeats the call, where the handle is closed: it must return net.ErrClosed.
func (x *cell) again(call func() error) {
	if !x.ev.gone || x.who.own && x.ev.ended {
		return
	}
	var err error
	x.must("the call again", x.who.run(x.runs, func() { err = call() }))
	if !errors.Is(err, net.ErrClosed) {
		x.fault("the call again gives %w, want net.ErrClosed", err)
	}
	x.saysEnded(err)
}

// saysEnded checks the error of a call that came after the loop's end.
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
	over(x, nil) // then the handle is gone
	x.ev.over(x)
	if x.who.own && x.ev.ended {
		return // the loop's tasks have ended
	}
	x.must("the call", x.who.run(x.runs, func() { x.err = x.row.ask(x) }))
	x.judgeAsked(true)
	x.saysEnded(x.err)
}

// refusedCell makes a call that the place refuses.
func (x *cell) refusedCell() {
	x.must("the call", x.who.run(x.runs, func() {
		switch {
		case x.row.read != nil:
			x.got, x.err = x.row.read(x)
		case x.row.write != nil:
			x.n, x.err = x.row.write(x, stream(x.in, recordSize))
		default:
			x.err = x.row.ask(x)
		}
	}))
	if !errors.Is(x.err, x.refused) || len(x.got) > 0 || x.n > 0 {
		x.fault("it gives %d bytes, %w, want %v", len(x.got)+x.n, x.err, x.refused)
	}
}

// judgeAsked checks the answer of a method that does not wait. gone says that the handle was closed before the call.
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

// own returns the caller's own loop.
func (x *cell) own() *ringo.Loop { return x.who.on(x.runs).l }
