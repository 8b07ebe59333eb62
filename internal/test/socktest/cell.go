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

// row is a method, or a way to call it.
type row struct {
	method string   // its name, and behind a slash what is special
	nets   []string // nil: all of its type
	// One of these three: what it delivers, what of p it sends, or neither.
	read  func(x *cell) ([]byte, error)
	write func(x *cell, p []byte) (int, error)
	ask   func(x *cell) error

	gives []error // what it may fail with, whatever the event

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
	trial
	*ends
	net *network
	row *row
	ev  *event

	listen  bool  // of a listener
	refused error // with which the place refuses the call

	conn   *sock.Conn // c, where it is one
	stream streamConn // likewise, or of callbacks
	ln     listener
	sockLn *sock.Listener // where it is one
	moved  *sock.Conn     // by the event
	gone   *sock.Conn     // by the call
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
	file     source

	first time.Time // a deadline that is moved away
	late  bool      // it had passed by then

	before []byte // what a call before this one has read
	ahead  int    // and written

	turns int // of callbacks: which ways they begin with

	firsts atomic.Int32 // calls of Close that were not told net.ErrClosed

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

// know finds out what the handle is.
func (x *cell) know() {
	if x.conn, _ = x.c.(*sock.Conn); x.conn != nil {
		x.stream = taskConn{x.conn}
	}
}

// small reports whether what the call sends may be accepted before it is sent.
func (x *cell) small() bool { return x.row.small || x.who.callbacks && x.row.write != nil }

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
	if x.gone != nil {
		x.inTime(x.gone.Loop(), "Close of what the call has moved", x.gone.Close)
	}
	if x.ev.ended && !x.closes() {
		return
	}
	x.inTime(x.home.l, "Close", func() error {
		err := x.closed(x.c)
		if x.row.small && x.ev.ended { // it says that something was lost
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

// enough reports whether the call needs no more than what has come before.
func (x *cell) enough() bool { return x.row.here && x.ev.partial && x.here >= x.want }

// judge looks at the error of a call that the event came over.
func (x *cell) judge(done bool) {
	if x.err == nil {
		if !done {
			x.fault("the call gives neither an error nor all that it was to do (%d bytes)", len(x.got)+x.n)
		} else if x.ev.fails && !x.row.short && !x.small() && !x.enough() {
			// of those, a few bytes may find room a moment later
			x.fault("the call succeeds, which could not be")
		}
		return
	}
	if (x.enough() && !x.mayLose()) || !x.foreseen(x.err) {
		x.fault("the call's error is %w", x.err)
	}
}

// mayLose reports whether the event may end the call, or the handle, before the call has had what is there: nobody
// knows how far callers elsewhere are.
func (x *cell) mayLose() bool { return (x.ev.gone || x.ev.cancels) && !x.who.own }

// foreseen reports whether err is one that the event gives.
func (x *cell) foreseen(err error) bool {
	want := slices.Concat(x.ev.errors(x), x.row.gives)
	return slices.ContainsFunc(want, func(want error) bool { return errors.Is(err, want) })
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

// handOver has another caller take its turn in both directions, so that they are not where the call finds
// them otherwise.
func (x *cell) handOver() {
	if x.who.callbacks { // which have both
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

// goFirst has another caller begin a call, behind which the cell's waits for its turn. What it gives ends
// that call: it lets it have what it waits for, unless the event has ended it.
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

// leaveSome has the peer send less than a read may want, and another caller look at it, so that
// it lies with one who does not read it.
func (x *cell) leaveSome() {
	n := unit
	if !x.net.records {
		n += unit / 2
	}
	x.must("the peer", x.send(0, n))
	x.sent, x.here = n, n
	if x.stream == nil || x.who.callbacks && x.net.records { // which use a record whole
		return
	}
	another := x.another(x.who)
	x.must("Peek by a "+another.name, another.run(x.runs, func() {
		if p, err := x.stream.Peek(n); err != nil || len(p) != n {
			x.fault("Peek(%d) by a %s = %d bytes, %w", n, another.name, len(p), err)
		}
	}))
}

// rest reads all that the call has left, where it can still be had.
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
	p := stream(x.in, x.size) // before anybody begins: to make it takes long
	if x.ev.queued {          // what the first writes is what the call writes, too
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

// again makes the call once more where the handle is gone.
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
	over(x, nil) // then the handle is gone
	x.ev.over(x)
	if x.who.own && x.ev.ended {
		return // nobody is left to call
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

// own is the caller's own loop.
func (x *cell) own() *ringo.Loop { return x.who.on(x.runs).l }
