package sock

import (
	"net"
	"net/netip"
	"sync/atomic"

	"ringo/internal/dial"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// packetOutput is the sending side of a packet. A send is a plain call first; if the socket has no room, it becomes an
// op, and the task parks.
type packetOutput struct {
	plainly atomic.Bool // the kernel has failed to segment, see uncut
	cut     atomic.Pointer[cut]
}

// sendmsg is a datagram that is being sent.
type sendmsg struct {
	p, oob []byte
	named  bool // it has an address: to or path
	to     netip.AddrPort
	path   string
	dst    net.Addr // for errors; nil: the peer
}

// fill sets up o to send the datagram. Without control messages a plainer call does, which costs less.
func (m *sendmsg) fill(o *op.Op) {
	x := o.Ext
	if len(m.oob) == 0 {
		o.Code, o.Buf = op.Send, m.p
	} else {
		o.Code = op.Sendmsg
		x.SetVector([][]byte{m.p})
		x.Control = m.oob
	}
	x.Named = m.named
	switch {
	case !m.named:
	case m.path != "":
		x.Addr.SetUnix(m.path)
	default:
		x.Addr.Set(m.to)
	}
}

// unfill drops the op's references to memory of a sendmsg or recvmsg.
func unfill(o *op.Op) {
	o.Buf = nil
	x := o.Ext
	x.Bufs[0], x.Iov[0], x.Control = nil, sys.Iovec{}, nil
}

// Write sends p as one datagram to the address that the socket is connected to. It waits while the socket has no room;
// the kernel may use p until Write returns. Any goroutine may call it, and waits as in package net; a task parks.
func (c *packet) Write(p []byte) (int, error) { return c.writeTo("write", &sendmsg{p: p}) }

// writeTo sends a datagram, and returns how many of its bytes were sent.
func (c *packet) writeTo(call string, m *sendmsg) (int, error) {
	err := c.send(call, m)
	return sent(m.p, err), err
}

// writeMsg is writeTo for a datagram with control messages, and returns how many of their bytes were sent, too.
func (c *packet) writeMsg(m *sendmsg) (n, oobn int, err error) {
	n, err = c.writeTo("sendmsg", m)
	return n, sent(m.oob, err), err
}

// sent returns how much of b was sent: all of it, unless there is an error.
func sent(b []byte, err error) int {
	if err != nil {
		return 0
	}
	return len(b)
}

// send waits until the socket has taken the whole datagram.
func (c *packet) send(call string, m *sendmsg) error {
	a, err := c.enterWrite()
	if err != nil {
		return c.failTo(m, err)
	}
	res, err := c.transmit(a, m)
	c.core.Leave(a)
	if err == nil && res < 0 {
		err = callError(call, res)
	}
	if err != nil {
		return c.failTo(m, err)
	}
	return nil
}

// enterWrite waits for access to the output.
func (c *packet) enterWrite() (handle.Access, error) {
	a, err := c.core.Enter(handle.Out)
	if err == nil && a.Own() {
		if err = c.mayGoOn(); err != nil {
			c.core.Leave(a)
		}
	}
	return a, err
}

// mayGoOn charges a call, yields if the budget is used up, and returns the error if a writer of the owner must stop.
func (c *packet) mayGoOn() error {
	alive := c.l.ChargeAndYield()
	if err := c.core.State(handle.Out); err != nil || alive {
		return err
	}
	return c.l.Cause()
}

// transmit sends for a caller that has access, and waits for room if there is none. It returns the result of the call.
func (c *packet) transmit(a handle.Access, m *sendmsg) (res int32, err error) {
	for res = -sys.EAGAIN; err == nil && res == -sys.EAGAIN; {
		o := c.sendOp(a)
		m.fill(o)
		var ok bool
		if res, ok, err = c.core.Do(a, o); !ok && err == nil {
			res, err = c.core.Later(o, "write")
		}
		unfill(o)
	}
	return res, err
}

// sendOp returns the op for a datagram of the caller that has access.
func (c *packet) sendOp(a handle.Access) *op.Op {
	if a.Own() {
		return &c.local.packets().send
	}
	return a.Op()
}

// errWrongAddress is the error for an address of another type, as in package net.
var errWrongAddress error = posix.EINVAL

// failTo wraps an error with the address that the datagram was for.
func (c *packet) failTo(m *sendmsg, err error) error {
	e, ok := c.fail("write", err).(*net.OpError)
	if !ok {
		return errZero
	}
	if m.dst != nil {
		e.Addr = m.dst
	} else if m.named && m.to.IsValid() {
		e.Addr = dial.UDPAddr(m.to)
	}
	return e
}
