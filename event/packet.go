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

// A PacketConn is a UDP socket whose events go to a PacketHandler. It belongs to the thread of its loop. Socket returns
// the underlying socket of package sock, for its options; others should not read from that.
type PacketConn struct {
	activity
	h     PacketHandler
	sock  *sock.PacketConn
	src   handle.Packets
	state state
	flags packetFlags
	sends bool // a packetSender has been started
	why   error
	task  *loop.Task // the task that dials, or sends waiting datagrams
	got   handle.Datagram
	out   packetOutput
	value any

	network string // for errors of a dial
}

type packetFlags uint8

const (
	packetQueued packetFlags = 1 << iota // in the loop's queue
	packetToOpen
	packetNews     // there may be datagrams
	packetPaused   // no datagrams are to be shown
	packetRefused  // a write found no room, so OnWritable is to be called later
	packetWritable // OnWritable is to be called
)

// A Datagram is a received datagram.
type Datagram struct {
	Bytes   []byte         // valid until OnDatagram returns
	From    netip.AddrPort // as sock.PacketConn.ReadFromUDPAddrPort returns it
	Control []byte         // as long, control messages asked for by sock.PacketConn.SetControl: see sock.ParseControl
	Flags   int            // MSG_CTRUNC
}

// A PacketHandler receives a PacketConn's events. The rules are those of Handler; embed PacketBase for methods that you
// do not need.
type PacketHandler interface {
	// OnOpen is called once, first.
	OnOpen(c *PacketConn)
	// OnDatagram is called with each received datagram, which is never truncated. It is a single one even with
	// sock.PacketConn.SetGRO.
	OnDatagram(c *PacketConn, d Datagram)
	// OnError is called with errors that the network reports for datagrams sent before, such as ECONNREFUSED on a
	// connected socket, or when a datagram that had waited for room could not be sent. The socket stays usable.
	OnError(c *PacketConn, err error)
	// OnWritable is called once no datagrams wait for room any more, if a write has failed with ErrFull or Congested
	// was true.
	OnWritable(c *PacketConn)
	// OnClose is called once, last. err is nil if Close was called, ErrStopped if the loop was stopped, net.ErrClosed
	// if the program has closed PacketConn.Socket, and otherwise the failure, such as that of a dial.
	OnClose(c *PacketConn, err error)
}

// PacketBase is a PacketHandler to embed in others. It does nothing.
type PacketBase struct{}

var _ PacketHandler = PacketBase{}

// OnOpen does nothing.
func (PacketBase) OnOpen(*PacketConn) {}

// OnDatagram drops the datagram.
func (PacketBase) OnDatagram(*PacketConn, Datagram) {}

// OnError does nothing: datagrams get lost.
func (PacketBase) OnError(*PacketConn, error) {}

// OnWritable does nothing.
func (PacketBase) OnWritable(*PacketConn) {}

// OnClose does nothing.
func (PacketBase) OnClose(*PacketConn, error) {}

// datagramsMax is how many datagrams are shown in a row before other callbacks get their turn.
const datagramsMax = 64

// ListenPacket binds a UDP socket, as sock.ListenPacket does, and calls h for it. A drain does not end it: see Wait.
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

// Receive calls h for a socket of package sock of the same loop, for example one of a sock.ListenConfig, or one with
// options set. The PacketConn closes the socket when it closes.
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

// DialPacket makes a connected UDP socket, as sock.DialPacket does: it sends to address, and receives datagrams from it
// only. It returns at once: OnOpen is called once the socket is connected, or OnClose alone with the error. Nothing can
// be written before OnOpen.
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

// dialed continues when the task that dials ends.
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

// newPacketConn makes a PacketConn that is to be opened; it is closed if the loop was stopped.
func (e *Loop) newPacketConn(method string, h PacketHandler) *PacketConn {
	needPacketHandler(method, h)
	c := &PacketConn{activity: activity{e: e, endless: true}, h: h, out: packetOutput{max: packetWaitMax}}
	if e.refuses() {
		c.state = closed
		e.refuse(func() { c.h.OnClose(c, ErrStopped) })
		return c
	}
	e.begin(&c.activity, c)
	return c
}

// open sets the socket. It may have datagrams already.
func (c *PacketConn) open(s *sock.PacketConn) {
	c.sock, c.state = s, open
	c.src = handle.Sockets.Packets(s, c.news)
	c.flags |= packetToOpen | packetNews
	c.wake()
}

// news is called when something may have come, or the socket has closed.
func (c *PacketConn) news() (wanted bool) {
	if c.state == open && c.src.Closed() { // by a call on Socket
		c.state, c.why = closing, c.closedBy()
	}
	c.flags |= packetNews
	if c.state == open && c.flags&packetPaused != 0 {
		return false
	}
	c.wake()
	return true
}

// closedBy returns why the socket was closed from outside of this package.
func (c *PacketConn) closedBy() error {
	if c.e.refuses() {
		return ErrStopped
	}
	return net.ErrClosed
}

// wake queues the socket, so that the runner calls its callbacks.
func (c *PacketConn) wake() {
	if c.flags&packetQueued == 0 && c.state < closed {
		c.flags |= packetQueued
		c.e.push(c)
	}
}

// run calls the callbacks that are due.
func (c *PacketConn) run() {
	c.flags &^= packetQueued
	if c.flags&packetToOpen != 0 { // as for a Conn, even if it has ended
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

// read shows the datagrams that have come.
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
				c.end(err) // no more news would come
			}
			return
		}
	}
	c.wake() // after the other callbacks
}

// failed handles an error of a read: it ends the socket, or is passed to OnError.
func (c *PacketConn) failed(err error) {
	switch {
	case errors.Is(err, net.ErrClosed):
		c.end(c.closedBy())
	case errors.Is(err, os.ErrDeadlineExceeded): // set by a call on Socket: every further read would fail
		c.end(err)
	default:
		c.h.OnError(c, err)
	}
}

// Pause stops calls of OnDatagram until Resume: datagrams stay in the kernel, which drops those that it has no room
// for.
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

// Loop returns the loop that the socket belongs to. Any goroutine may call it.
func (c *PacketConn) Loop() *Loop { return c.e }

// Socket returns the underlying socket of package sock, for options and statistics; nil before OnOpen. Do not read from
// it or write to it: it does not know of unsent datagrams.
func (c *PacketConn) Socket() *sock.PacketConn { return c.sock }

// LocalAddr returns the address of this end; nil before OnOpen.
func (c *PacketConn) LocalAddr() net.Addr {
	if c.sock == nil {
		return nil
	}
	return c.sock.LocalAddr()
}

// Value returns what SetValue has stored, nil at first.
func (c *PacketConn) Value() any { return c.value }

// SetValue stores a value with the socket.
func (c *PacketConn) SetValue(v any) { c.value = v }

// SetHandler replaces the handler for later events.
func (c *PacketConn) SetHandler(h PacketHandler) {
	c.e.here("PacketConn.SetHandler")
	if h == nil {
		panic("event: PacketConn.SetHandler of nil")
	}
	c.h = h
}

// Close closes the socket, and returns at once: the handler gets no more datagrams, unsent ones are dropped, and
// OnClose is called when the socket is closed. Closing again does nothing.
func (c *PacketConn) Close() {
	c.e.here("PacketConn.Close")
	c.end(nil)
}

func (c *PacketConn) stop() { c.end(ErrStopped) }

// end begins the end of the socket.
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
