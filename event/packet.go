package event

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
)

// PacketConn is a UDP socket whose events a PacketHandler is called for. It belongs to the thread of its loop. It is
// one of package sock's, which has its options, and which nobody else should read from.
type PacketConn struct {
	activity
	h     PacketHandler
	sock  *sock.PacketConn
	src   handle.Packets
	state state
	flags packetFlags
	sends bool // a packetSender has been started
	why   error
	task  *loop.Task // that dials, or sends what has waited
	got   handle.Datagram
	out   packetOutput
	value any

	network string // of a dial
}

type packetFlags uint8

const (
	packetQueued packetFlags = 1 << iota // in the loop's queue
	packetToOpen
	packetNews     // there may be something
	packetPaused   // nothing is to be shown
	packetRefused  // a write found no room, of which OnWritable is to tell
	packetWritable // OnWritable is to be called
)

// Datagram is one that has come.
type Datagram struct {
	Bytes   []byte         // the callee's, until it returns
	From    netip.AddrPort // as sock.PacketConn.ReadFromUDPAddrPort has it
	Control []byte         // control messages, if sock.PacketConn.SetControl has asked for them: see sock.ParseControl
	Flags   int            // MSG_CTRUNC
}

// PacketHandler is what becomes of a PacketConn's events. The rules are those of Handler; embed PacketBase for methods
// that are not needed.
type PacketHandler interface {
	// OnOpen is called once, first.
	OnOpen(c *PacketConn)
	// OnDatagram is called with each datagram that has come, which is never cut: with sock.PacketConn.SetGRO on, too,
	// it is one.
	OnDatagram(c *PacketConn, d Datagram)
	// OnError is called with what the network has told of datagrams sent before, such as ECONNREFUSED on a connected
	// socket, or with why one that had waited for room was not sent. The socket goes on.
	OnError(c *PacketConn, err error)
	// OnWritable is called when all has been sent that waited for room, after a write that was ErrFull, or after
	// Congested was true.
	OnWritable(c *PacketConn)
	// OnClose is called once, last. err is nil if Close was called, ErrStopped if the loop has ended it, and otherwise
	// what has failed, as a dial.
	OnClose(c *PacketConn, err error)
}

// PacketBase is a PacketHandler to be embedded in others. It does nothing.
type PacketBase struct{}

var _ PacketHandler = PacketBase{}

// OnOpen does nothing.
func (PacketBase) OnOpen(*PacketConn) {}

// OnDatagram drops it.
func (PacketBase) OnDatagram(*PacketConn, Datagram) {}

// OnError does nothing: datagrams get lost.
func (PacketBase) OnError(*PacketConn, error) {}

// OnWritable does nothing.
func (PacketBase) OnWritable(*PacketConn) {}

// OnClose does nothing.
func (PacketBase) OnClose(*PacketConn, error) {}

// datagramsMax is how many datagrams are shown before others have their turn.
const datagramsMax = 64

// ListenPacket binds a UDP socket, as sock.ListenPacket does, and has h be called for it. A drain does not end it:
// see Wait.
func (e *Loop) ListenPacket(network, address string, h PacketHandler) (*PacketConn, error) {
	e.here("Loop.ListenPacket")
	needPacketHandler("Loop.ListenPacket", h)
	if e.refuses() {
		return nil, ErrStopped
	}
	c, err := sock.ListenPacket(e.Ringo(), network, address)
	if err != nil {
		return nil, err
	}
	return e.Receive(c, h), nil
}

// Receive has h be called for a socket of package sock of the same loop, as of a sock.ListenConfig, or one with
// options. It closes the socket in the end.
func (e *Loop) Receive(s *sock.PacketConn, h PacketHandler) *PacketConn {
	e.here("Loop.Receive")
	if s == nil {
		panic("event: Loop.Receive of a nil *sock.PacketConn")
	}
	if (*loop.Loop)(s.Loop()) != e.l {
		panic("event: Loop.Receive of another loop's socket")
	}
	c := e.newPacketConn("Loop.Receive", h)
	if c.state == closed {
		handle.Sockets.Packets(s, func() bool { return false }).CloseSoon()
		return c
	}
	c.open(s)
	return c
}

// DialPacket makes a UDP socket that is connected to an address, as sock.DialPacket does: it sends to that alone, and
// gets datagrams of that alone. It returns at once: OnOpen is called when there is one, or OnClose alone. Nothing can
// be written before.
func (e *Loop) DialPacket(network, address string, h PacketHandler) *PacketConn {
	e.here("Loop.DialPacket")
	c := e.newPacketConn("Loop.DialPacket", h)
	if c.network = network; c.state == closed {
		return c
	}
	c.task = e.l.Go(func() {
		var s *sock.PacketConn
		err := ErrNoReturn
		defer func() { c.dialed(s, err) }()
		s, err = sock.DialPacket(e.Ringo(), network, address)
	})
	return c
}

// dialed goes on when the task that dials ends.
func (c *PacketConn) dialed(s *sock.PacketConn, err error) {
	c.task = nil
	switch {
	case err == nil && c.state == opening:
		c.open(s)
		return
	case err == nil:
		s.Close()
	case c.state == opening:
		c.state, c.why = closing, err
	}
	c.wake()
}

func needPacketHandler(method string, h PacketHandler) {
	if h == nil {
		panic("event: " + method + " without a PacketHandler")
	}
}

// newPacketConn makes one that is to be opened; closed, if the loop was stopped.
func (e *Loop) newPacketConn(method string, h PacketHandler) *PacketConn {
	needPacketHandler(method, h)
	c := &PacketConn{activity: activity{e: e, endless: true}, h: h}
	if e.refuses() {
		c.state = closed
		e.refuse(func() { c.h.OnClose(c, ErrStopped) })
		return c
	}
	e.begin(&c.activity, c)
	return c
}

// open begins with a socket. For all that is known there is something.
func (c *PacketConn) open(s *sock.PacketConn) {
	c.sock, c.state = s, open
	c.src = handle.Sockets.Packets(s, c.news)
	c.flags |= packetToOpen | packetNews
	c.wake()
}

// news is the socket's word that something may have come, or that it has closed.
func (c *PacketConn) news() (wanted bool) {
	if c.state == open && c.src.Closed() { // by somebody else
		c.state, c.why = closing, ErrStopped
	}
	c.flags |= packetNews
	if c.state == open && c.flags&packetPaused != 0 {
		return false
	}
	c.wake()
	return true
}

// wake has the socket's callbacks run, as far as there is something to tell.
func (c *PacketConn) wake() {
	if c.flags&packetQueued == 0 && c.state < closed {
		c.flags |= packetQueued
		c.e.push(c)
	}
}

// run tells what there is to tell.
func (c *PacketConn) run() {
	c.flags &^= packetQueued
	if c.flags&packetToOpen != 0 { // as of a Conn
		c.flags &^= packetToOpen
		c.h.OnOpen(c)
	}
	if c.flags&packetNews != 0 {
		c.read()
	}
	if c.flags&packetWritable != 0 && c.state == open {
		c.flags &^= packetWritable | packetRefused
		c.h.OnWritable(c)
	}
	if c.state == closing && c.task == nil && !c.sends && (c.src == nil || c.src.Closed()) {
		c.state = closed
		c.e.endBy(&c.activity, func() { c.h.OnClose(c, c.why) })
	}
}

// read shows what has come.
func (c *PacketConn) read() {
	for range datagramsMax {
		if c.state != open || c.flags&packetPaused != 0 {
			return
		}
		c.e.l.Charge()
		ok, err := c.src.Next(&c.got)
		switch d := c.got; {
		case err != nil:
			c.failed(err)
		case ok:
			c.got = handle.Datagram{}
			c.h.OnDatagram(c, Datagram{Bytes: d.Bytes, From: d.From, Control: d.Control, Flags: d.Flags})
		default:
			c.flags &^= packetNews
			if err := c.src.Arm(); err != nil {
				c.end(err) // it would never hear again
			}
			return
		}
	}
	c.wake() // behind the others
}

// failed tells of an error that a read has met, if it is no end.
func (c *PacketConn) failed(err error) {
	switch {
	case errors.Is(err, net.ErrClosed):
		c.end(ErrStopped)
	case errors.Is(err, os.ErrDeadlineExceeded): // that somebody has set, and that every read will meet
		c.end(err)
	default:
		c.h.OnError(c, err)
	}
}

// Pause has nothing more be shown until Resume: what comes stays with the kernel, which drops what it has no room for.
func (c *PacketConn) Pause() {
	c.e.here("PacketConn.Pause")
	c.flags |= packetPaused
}

// Resume ends a Pause.
func (c *PacketConn) Resume() {
	c.e.here("PacketConn.Resume")
	if c.flags&packetPaused != 0 {
		c.flags = c.flags&^packetPaused | packetNews
		c.wake()
	}
}

// Loop is the loop that the socket belongs to. Any goroutine may call it.
func (c *PacketConn) Loop() *Loop { return c.e }

// Socket is the socket as package sock has it, for options and statistics; nil before OnOpen. What waits for room is
// not its, so nobody else should write to it either.
func (c *PacketConn) Socket() *sock.PacketConn { return c.sock }

// LocalAddr is the address of this end; nil before OnOpen.
func (c *PacketConn) LocalAddr() net.Addr {
	if c.sock == nil {
		return nil
	}
	return c.sock.LocalAddr()
}

// Value is what SetValue has stored, nil at first.
func (c *PacketConn) Value() any { return c.value }

// SetValue stores something that belongs to the socket.
func (c *PacketConn) SetValue(v any) { c.value = v }

// SetHandler has another be called for the events that follow.
func (c *PacketConn) SetHandler(h PacketHandler) {
	c.e.here("PacketConn.SetHandler")
	if h == nil {
		panic("event: PacketConn.SetHandler of nil")
	}
	c.h = h
}

// Close ends the socket, and returns at once: nothing more is shown, what waits for room is dropped, and OnClose is
// called when it is closed. Closing again does nothing.
func (c *PacketConn) Close() {
	c.e.here("PacketConn.Close")
	c.end(nil)
}

func (c *PacketConn) stop() { c.end(ErrStopped) }

// end begins the end.
func (c *PacketConn) end(why error) {
	if c.state >= closing {
		return
	}
	c.state, c.why = closing, why
	if c.src != nil {
		c.src.CloseSoon()
	}
	c.task.Cancel()
	c.out.drop(c.e)
	c.wake()
}
