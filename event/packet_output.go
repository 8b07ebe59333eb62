package event

import (
	"net"
	"net/netip"

	"ringo/internal/rt/code"
)

// packetOutput is the datagrams that wait for room, in order. A task sends them, one after the other.
type packetOutput struct {
	waiting []waitingPacket
	first   int // those before it are sent
	size    int // what the waiting ones count
	max     int // see SetUnsentMax
}

type waitingPacket struct {
	p    []byte
	to   netip.AddrPort
	cost int
}

const (
	// packetWaitMax is the default of SetUnsentMax.
	packetWaitMax = 256 << 10
	// packetCost is what a datagram counts in addition to its bytes.
	packetCost = 64
)

// Write sends a datagram to the address that the socket is connected to; the caller may reuse p once it returns. It
// never waits: if the socket has no room the datagram is copied, and sent when there is. The error is ErrFull at the
// bound, net.ErrClosed when the socket closes, or that of the send; if a datagram that has waited can't be sent,
// OnError is called.
func (c *PacketConn) Write(p []byte) error { return c.write("PacketConn.Write", p, netip.AddrPort{}) }

// WriteTo is like Write, but to an address, on an unconnected socket.
func (c *PacketConn) WriteTo(p []byte, to netip.AddrPort) error {
	return c.write("PacketConn.WriteTo", p, to)
}

func (c *PacketConn) write(method string, p []byte, to netip.AddrPort) error {
	e := c.e
	switch e.here(method); {
	case c.state == opening:
		return &net.OpError{Op: "write", Net: c.network, Err: errNotOpen}
	case c.src == nil:
		return &net.OpError{Op: "write", Net: c.network, Err: net.ErrClosed}
	case c.state != open:
		_, err := c.src.TrySend(p, to) // it knows what its net.ErrClosed has to name
		return err
	}
	e.l.Charge()
	o := &c.out
	if !o.any() {
		sent, err := c.src.TrySend(p, to)
		if sent || err != nil {
			return err
		}
	}
	if o.any() && (o.size+len(p)+packetCost > o.max || e.unsent >= e.unsentMax) {
		c.flags |= packetRefused
		return ErrFull
	}
	if o.put(e, p, to); !c.sends {
		c.sends = true
		e.l.Start((*packetSender)(c))
	}
	return nil
}

// Congested reports whether datagrams wait for room in the socket: OnWritable is called once they are sent.
func (c *PacketConn) Congested() bool {
	c.e.here("PacketConn.Congested")
	if c.out.any() {
		c.flags |= packetRefused
	}
	return c.out.any()
}

// SetUnsentMax bounds the bytes that wait for room in the socket; the default is 256 KiB. Each datagram counts 64 bytes
// more than its own. At the bound writes fail with ErrFull; where none waits one is taken, whatever its size. The bytes
// also count in Loop.SetUnsentMax. It panics if n is negative.
func (c *PacketConn) SetUnsentMax(n int) {
	c.e.here("PacketConn.SetUnsentMax")
	wantBound("PacketConn.SetUnsentMax", n)
	c.out.max = n
}

// any reports whether datagrams wait.
func (o *packetOutput) any() bool { return o.first < len(o.waiting) }

// put adds a copy at the end.
func (o *packetOutput) put(e *Loop, p []byte, to netip.AddrPort) {
	cost := len(p) + packetCost
	o.waiting = append(o.waiting, waitingPacket{append(e.tools.Get(len(p)), p...), to, cost})
	o.count(e, cost)
}

// pop removes the first datagram.
func (o *packetOutput) pop(e *Loop) {
	w := &o.waiting[o.first]
	o.count(e, -w.cost)
	e.tools.Put(w.p)
	*w = waitingPacket{}
	if o.first++; !o.any() {
		o.waiting, o.first = o.waiting[:0], 0
	} else if o.first > len(o.waiting)/2 && len(o.waiting) == cap(o.waiting) {
		n := copy(o.waiting, o.waiting[o.first:])
		clear(o.waiting[n:])
		o.waiting, o.first = o.waiting[:n], 0
	}
}

func (o *packetOutput) count(e *Loop, n int) {
	o.size += n
	e.unsent += n
}

// drop drops the datagrams that wait. The one that is being sent belongs to its task.
func (o *packetOutput) drop(e *Loop) {
	for o.any() {
		o.pop(e)
	}
	o.waiting = nil
}

// packetSender is a socket as the task that sends waiting datagrams.
type packetSender PacketConn

var packetSenderCode = code.Of((*packetSender).Run)

func init() { code.Call(packetSenderCode, "event sends datagrams") }

// Code shows all such tasks under one name.
func (s *packetSender) Code() code.Func { return packetSenderCode }

// Run sends until no datagram waits. A close drops the queue, and ends the write.
func (s *packetSender) Run() {
	c := (*PacketConn)(s)
	e := c.e
	c.task = e.l.Task()
	for c.state == open && c.out.any() {
		w := c.out.waiting[c.out.first]
		c.out.waiting[c.out.first].p = nil // so that a drop leaves it to this task
		var err error
		if w.to.IsValid() {
			_, err = c.sock.WriteToUDPAddrPort(w.p, w.to)
		} else {
			_, err = c.sock.Write(w.p)
		}
		if c.state == open {
			c.out.waiting[c.out.first].p = w.p
			c.out.pop(e)
		} else {
			e.tools.Put(w.p)
		}
		if err != nil && c.state == open {
			e.call(func(err error) {
				if c.state == open {
					c.h.OnError(c, err)
				}
			}, err)
		}
	}
	c.task, c.sends = nil, false
	if c.flags&packetRefused != 0 {
		c.flags |= packetWritable
	}
	c.wake()
}
