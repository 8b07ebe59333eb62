package sock

import (
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// packet is what datagram sockets have in common: PacketConn, IPConn and UnixPacketConn. They are separate types
// because programs find out by methods what a socket can do: one with ReadMsgUDP is taken for a UDP socket with ECN and
// segments.
//
// A packet belongs to one loop, as a Conn does, and other callers use it as foreign callers, as with a Conn.
type packet struct {
	l     *loop.Loop
	local *loopState
	core  handle.Core
	own   handle.Own

	in  packetInput
	out packetOutput

	parts *packetParts // set when it leaves its loop and the descriptor stays open
	leave func()       // called once the address is free
	file  *socketFile  // of a Unix socket's name

	network      string // as the program has named it
	family       uint32
	connected    bool
	peer         netip.AddrPort // of a connected UDP socket
	laddr, raddr net.Addr
}

// init makes c the socket with descriptor s. The caller sets the addresses and connected.
func (c *packet) init(l *loop.Loop, network string, family uint32, s int32) {
	c.l, c.local = l, loopStateOf(l)
	c.network, c.family = network, family
	c.core.Messages()
	c.core.Init(l, &packetHooks{c: c}, loop.KindPacket, s, &c.own)
	c.in.ready = true // there may be datagrams already
}

// Loop returns the loop that the socket belongs to. Any goroutine may call it.
func (c *packet) Loop() *ringo.Loop { return (*ringo.Loop)(c.l) }

// LocalAddr returns the address of this end. Any goroutine may call it.
func (c *packet) LocalAddr() net.Addr { return c.laddr }

// RemoteAddr returns the address that the socket is connected to, or nil. Any goroutine may call it.
func (c *packet) RemoteAddr() net.Addr { return c.raddr }

// fail wraps an error as package net does.
func (c *packet) fail(name string, err error) error {
	if c.l == nil {
		return errZero
	}
	e := &net.OpError{Op: name, Net: c.network, Source: c.laddr, Addr: c.raddr, Err: err}
	if name == "set" || name == "raw-control" {
		return ofSocket(e)
	}
	return e
}

// failed is fail, but nil stays nil.
func (c *packet) failed(name string, err error) error {
	if err == nil {
		return nil
	}
	return c.fail(name, err)
}

// Close closes the socket. Calls in flight return net.ErrClosed; Close waits until they have released the descriptor. A
// task parks, even if it is cancelled. Unread datagrams are lost. Closing again waits for the first Close and returns
// net.ErrClosed. Any goroutine may call it.
func (c *packet) Close() error { return c.failed("close", c.core.Close()) }

// detach gives a new socket to the foreign callers for whom it was made.
func (c *packet) detach() { c.core.LendAll() }

// plain makes a system call that needs no access and never waits. Any caller.
func (c *packet) plain(name string, call kernelCall) (int32, error) {
	res, err := c.core.Ask(callName(name), call)
	return res, c.failed(name, err)
}

// packetHooks is the socket as the Hooks of its core. The end of its loop closes the socket, a drain does not:
// datagrams belong to conversations that go on.
type packetHooks struct {
	handle.NoHooks
	c *packet
}

// Release moves datagrams that were fetched to where foreign callers find them.
func (o *packetHooks) Release(*stream.In) {
	if pl := o.c.local.packet; pl != nil && pl.owner == o.c {
		pl.keepUnread()
	}
}

// Acquire takes the input back. The socket may have more datagrams.
func (o *packetHooks) Acquire(*stream.In) { o.c.in.ready = true }

// Holds reports whether datagrams were fetched and not read.
func (o *packetHooks) Holds(*stream.In) bool { return len(o.c.in.kept) > 0 }

// DescribeWait names the peer of a connected socket.
func (o *packetHooks) DescribeWait(_ handle.Dir, d *loop.Wait) {
	d.Peer, d.PeerAt = o.c.peer, o.c.raddr
}

// Tell gives up what the socket holds.
func (o *packetHooks) Tell(e handle.Event) {
	c := o.c
	switch e {
	case handle.Draining:
		c.core.Wake() // so that a waiting reader looks at the drain
	case handle.Closing: // a Unix socket's name has a file
		c.file.release()
	case handle.Settled:
		c.settled()
	case handle.Closed:
		if c.leave != nil {
			c.leave()
		}
	}
}

// settled gives up the datagrams that were fetched, or keeps them for Detach.
func (c *packet) settled() {
	if p := c.parts; p != nil {
		p.keep(c)
	}
	c.in.release(c)
	if news := c.in.news; news != nil {
		news()
	}
}

// try runs a plain call on the socket's descriptor, in a task of the loop.
func (c *packet) try(o *op.Op) (int32, bool) { return c.core.Try(o) }
