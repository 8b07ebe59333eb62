package sock

import (
	"net"
	"slices"

	"ringo/internal/dial"
)

// Detach takes the socket out of Ringo. It returns the descriptor, close-on-exec and in non-blocking mode, which the
// caller has to close, and the datagrams that were fetched but not read, in the form of ReadBatch; they came before all
// that the kernel still has. To all other callers the socket is closed: waiting calls return net.ErrClosed. Any
// goroutine may call it; a task parks until the operations in flight have ended.
func (c *PacketConn) Detach() (fd int, unread []Message, err error) {
	fd = -1
	err = c.onOwner(func() error {
		p, err := c.part()
		if err == nil {
			fd, unread = int(p.fd), p.unread
		}
		return err
	})
	return fd, unread, err
}

// DetachUDP is like Detach, but returns a *net.UDPConn, for code that takes nothing else, such as the PacketConns of
// golang.org/x/net, whose ReadFrom always fails with other types. If DetachUDP fails the socket is unchanged.
//
// Any goroutine may call it; a task parks until the operations in flight have ended. conn belongs to package net: its
// Read would stop the loop of a task.
func (c *PacketConn) DetachUDP() (conn *net.UDPConn, unread []Message, err error) {
	err = c.onOwner(func() error {
		if err := c.core.Check(); err != nil {
			return err
		}
		made, err := netOf(c.l, &c.core, net.FilePacketConn)
		if err != nil {
			return err
		}
		p, err := c.part()
		if err != nil {
			made.Close()
			return err
		}
		c.l.Kernel().Close(p.fd)
		conn, unread = made.(*net.UDPConn), p.unread
		return nil
	})
	return conn, unread, err
}

// onOwner runs fn, which takes the socket from its loop, in a task of that loop.
func (c *packet) onOwner(fn func() error) error {
	if c.l == nil {
		return errZero
	}
	return c.failed("detach", onOwner(c.l, func() error {
		if err := c.l.World().Passage(); err != nil {
			return err
		}
		return fn()
	}))
}

// packetParts is what is left of a socket that leaves its loop.
type packetParts struct {
	fd     int32
	unread []Message
}

// part takes the socket from its loop. T, parks, even if cancelled.
func (c *packet) part() (*packetParts, error) {
	if err := c.core.Check(); err != nil {
		return nil, err
	}
	p := new(packetParts)
	c.parts = p
	c.core.BeginCloseKeepFD()
	c.core.AwaitClosed()
	return p, nil
}

// keep takes what is to stay from the socket. Nothing is in flight any more, and no caller uses it.
func (p *packetParts) keep(c *packet) {
	for d := c.in.head(c, true); d != nil; d = c.in.head(c, true) {
		p.unread = append(p.unread, Message{Buffers: [][]byte{slices.Clone(d.bytes)}, OOB: slices.Clone(d.control),
			Addr: dial.NamedZone(d.from), N: len(d.bytes), NN: len(d.control), Flags: int(d.flags)})
		c.in.pop(c, true)
	}
	p.fd = c.core.Take()
}
