package sock

import (
	"net"
	"net/netip"
	"sync/atomic"

	"ringo"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// packet is what sockets of datagrams have in common: PacketConn, which is UDP, and
// UnixPacketConn. They are two types because programs find out by its methods what a
// socket can do: one that has ReadMsgUDP is taken for one that has ECN and segments.
//
// A packet belongs to one loop, as a Conn does, and takes callers from elsewhere as
// guests, as a Conn does.
type packet struct {
	l     *loop.Loop
	local *local
	fd    fd.FD

	in  packetInput
	out packetOutput

	guests  atomic.Pointer[guests]
	handle  loop.Handle
	closing bool
	closed  bool // nobody uses the descriptor any more
	gone    bool // it is closed
	closers loop.TaskList
	leave   func()      // tells who must know that the address is free
	file    *socketFile // of a Unix socket's name

	network      string // as the user has named it
	family       uint32
	connected    bool
	peer         netip.AddrPort // of a connected UDP socket
	laddr, raddr net.Addr
}

// init makes c a socket of datagrams of a descriptor. It is connected if to is not
// nil.
func (c *packet) init(l *loop.Loop, network string, family uint32, s int32) {
	c.l, c.local = l, localOf(l)
	c.network, c.family = network, family
	c.fd.Init(s)
	alarm := (*packetAlarm)(c)
	c.in.timer.Owner, c.out.timer.Owner = alarm, alarm
	c.in.ready = true // for all that is known
	l.Register(&c.handle, (*packetHandle)(c))
}

// Loop is the loop that the socket belongs to. Any goroutine may call it.
func (c *packet) Loop() *ringo.Loop { return (*ringo.Loop)(c.l) }

// LocalAddr is the address of this end. Any goroutine may call it.
func (c *packet) LocalAddr() net.Addr { return c.laddr }

// RemoteAddr is the address that the socket is connected to, nil if it is not. Any
// goroutine may call it.
func (c *packet) RemoteAddr() net.Addr { return c.raddr }

// check is what each method begins with in a task.
func (c *packet) check(name string) error {
	if !c.l.Here() {
		return c.fail(name, stranger(c.l))
	}
	if c.closing {
		c.l.Burst()
		return c.fail(name, net.ErrClosed)
	}
	return nil
}

// fail wraps an error as package net does.
func (c *packet) fail(name string, err error) error {
	if c.l == nil {
		return errZero
	}
	return &net.OpError{Op: name, Net: c.network, Source: c.laddr, Addr: c.raddr, Err: err}
}

// failRes is fail for a negative result of a call.
func (c *packet) failRes(name, call string, res int32) error {
	if res == -sys.ECANCELED {
		return c.fail(name, c.l.Cause())
	}
	return c.fail(name, callError(call, res))
}

// Close closes the socket. It waits until the operations in flight on it have ended,
// for which a task parks, also one that was cancelled; who waits in them gets
// net.ErrClosed. Datagrams that nobody has read are gone. Closing again does nothing.
// Any goroutine may call it.
func (c *packet) Close() error {
	if !c.l.Here() {
		return c.closeAsGuest()
	}
	c.beginClose()
	if !c.gone {
		c.closers.Push(c.l.Task())
		c.l.Park(nil)
	}
	return nil
}

// beginClose marks the socket and asks for the end of what is in flight. The last
// completion closes the descriptor.
func (c *packet) beginClose() {
	if c.closing {
		return
	}
	c.closing = true
	c.fd.Seal()
	if !c.guests.CompareAndSwap(nil, nobody) {
		c.guests.Load().shut()
	}
	c.in.abort(c)
	c.out.abort(c)
	c.maybeClosed()
}

// maybeClosed closes the descriptor once nothing is in flight on it.
func (c *packet) maybeClosed() {
	if !c.closing || c.closed || c.fd.Busy() || c.in.op != nil || c.guests.Load().inherit() {
		return
	}
	c.closed = true
	c.in.release(c)
	c.l.RemoveTimer(&c.in.timer)
	c.l.RemoveTimer(&c.out.timer)
	c.file.release()
	closeFD(c.l, &c.fd)
	c.concluded()
}

// concluded tells those who wait that the descriptor is gone.
func (c *packet) concluded() {
	c.gone = true
	if c.leave != nil {
		c.leave()
	}
	c.guests.Load().concluded()
	c.l.Unregister(&c.handle)
	for t := c.closers.Pop(); t != nil; t = c.closers.Pop() {
		c.l.Ready(t)
	}
}

// packetHandle is the socket as what is open on its loop.
type packetHandle packet

// Drain is the loop's word that accepts have stopped. Datagrams belong to
// conversations that go on, so the socket stays as it is.
func (h *packetHandle) Drain() {}

// Abandon is the loop's word that it ends.
func (h *packetHandle) Abandon() { (*packet)(h).beginClose() }

// packetAlarm is the socket as the owner of its timers.
type packetAlarm packet

// Fire is the loop's word that a deadline may have passed.
func (a *packetAlarm) Fire(t *timer.Timer) {
	c := (*packet)(a)
	if t == &c.out.timer {
		c.out.abort(c)
		return
	}
	c.in.wake(c)
}

// try runs a plain call on the socket's descriptor.
func (c *packet) try(o *op.Op) (int32, bool) {
	o.FD = &c.fd
	return c.l.Try(o)
}
