package sock

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// packetOutput is the sending side of a packet: a plain call first; what the socket
// has no room for becomes an op, and the task parks.
type packetOutput struct {
	op       *op.Op // in flight
	lock     turnstile
	waiter   *loop.Task
	res      int32
	late     bool // the deadline had passed when the last wait for room ended
	deadline atomic.Int64
	timer    timer.Timer

	plainly atomic.Bool // the kernel could not cut once
	cut     atomic.Pointer[cut]
}

// parcel is a datagram on its way out.
type parcel struct {
	p, oob []byte
	named  bool // it goes to one of the two
	to     netip.AddrPort
	path   string
	dst    net.Addr // for errors; nil: the peer
}

// fill makes o the call that sends the parcel. Without control messages a plainer one
// does, which costs less.
func (m *parcel) fill(o *op.Op) {
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

// unfill lets go of what a parcel names.
func unfill(o *op.Op) {
	o.Buf = nil
	x := o.Ext
	x.Bufs[0], x.Iov[0], x.Control = nil, sys.Iovec{}, nil
}

// send parks until the socket has taken the datagram, whole.
func (c *packet) send(call string, m *parcel) error {
	if err := c.beginWrite("write"); err != nil {
		return err
	}
	defer c.out.lock.leave(c.l)
	if res := c.sendNow(m); res < 0 {
		return c.failSend(call, res, m)
	}
	return nil
}

// beginWrite takes the writer's turn.
func (c *packet) beginWrite(name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	if !c.out.lock.enter(c.l) {
		return c.fail(name, c.l.Cause())
	}
	alive := c.l.Burst()
	var err error
	switch {
	case c.closing:
		err = net.ErrClosed
	case !alive:
		err = c.l.Cause()
	case c.out.expired(c):
		err = os.ErrDeadlineExceeded
	default:
		return nil
	}
	c.out.lock.leave(c.l)
	return c.fail(name, err)
}

func (out *packetOutput) expired(c *packet) bool {
	limit := out.deadline.Load()
	return limit != 0 && c.l.NowNS() >= limit
}

// sendNow sends without waiting if it can, for whoever has the writer's turn. The
// result is that of the call.
func (c *packet) sendNow(m *parcel) int32 {
	pl := c.local.packets()
	m.fill(&pl.send)
	pl.send.FD = &c.fd
	res, ok := c.l.Try(&pl.send)
	unfill(&pl.send)
	if !ok {
		return c.sendLater(m)
	}
	return res
}

// sendLater waits for room. It is apart so that a socket that has room has a smaller
// stack.
//
//go:noinline
func (c *packet) sendLater(m *parcel) int32 {
	out := &c.out
	for out.late = false; ; {
		if c.l.Canceled() {
			return -sys.ECANCELED
		}
		o := c.l.NewOp(op.Send)
		if o == nil {
			return -sys.ENOBUFS
		}
		c.l.NewExt(o)
		m.fill(o)
		o.FD, o.Sink = &c.fd, (*packetOutSink)(c)
		out.op, out.waiter = o, c.l.Task()
		if limit := out.deadline.Load(); limit != 0 {
			c.l.Arm(&out.timer, limit)
		}
		c.l.Submit(o)
		c.l.Park((*packetOutWait)(c))
		out.waiter = nil
		out.late = out.expired(c)
		if out.res != -sys.ECANCELED || c.closing || out.late {
			return out.res
		} // else it is cancelled, or the deadline that ended it has moved
	}
}

// failSend is the error of a datagram that did not go.
func (c *packet) failSend(call string, res int32, m *parcel) error {
	err := callError(call, res)
	if res == -sys.ECANCELED {
		switch {
		case c.closing:
			err = net.ErrClosed
		case c.out.late:
			err = os.ErrDeadlineExceeded
		default:
			err = c.l.Cause()
		}
	}
	return c.failTo(m, err)
}

// failTo wraps an error with the address that the datagram was for.
func (c *packet) failTo(m *parcel, err error) error {
	e, ok := c.fail("write", err).(*net.OpError)
	if !ok {
		return errZero
	}
	if m.dst != nil {
		e.Addr = m.dst
	} else if m.named && m.to.IsValid() {
		e.Addr = net.UDPAddrFromAddrPort(m.to)
	}
	return e
}

// packetOutSink is the socket as the sink of its send.
type packetOutSink packet

// Complete takes the result of the send.
func (s *packetOutSink) Complete(o *op.Op, res int32, flags uint32) {
	if flags&op.More != 0 {
		return
	}
	c := (*packet)(s)
	c.out.res, c.out.op = res, nil
	c.l.FreeOp(o)
	if t := c.out.waiter; t != nil {
		c.out.waiter = nil
		c.l.Ready(t)
	}
	if c.in.lock.away != nil {
		c.forget()
	}
	c.maybeClosed()
}

// packetOutWait is the socket as what its writer waits for.
type packetOutWait packet

// CancelWait ends the send; its completion lets the writer go.
func (w *packetOutWait) CancelWait(*loop.Task) { (*packet)(w).out.abort((*packet)(w)) }

// abort ends the send in flight.
func (out *packetOutput) abort(c *packet) {
	if out.op != nil && !out.op.Canceled {
		c.l.Cancel(out.op)
	}
}
