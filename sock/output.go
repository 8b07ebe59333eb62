package sock

import (
	"net"
	"os"

	"ringo/buf"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// output is the sending side of a connection. A write is a plain call first; what
// the socket has no room for becomes an op, and the task parks.
type output struct {
	op     *op.Op // in flight
	lock   turnstile
	waiter *loop.Task
	res    int32
	behind int32 // the error behind what went out, which the socket told once
	owed   bool  // op is done, but its memory is still with the kernel
	cut    bool  // it was got back by giving up the connection
	timer  timer.Timer
}

// beginWrite takes the writer's turn.
func (c *Conn) beginWrite(name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	if !c.out.lock.enter(c.l) {
		return c.fail(name, c.l.Cause())
	}
	alive := c.l.Burst()
	switch {
	case c.closing:
		c.out.lock.leave(c.l)
		return c.fail(name, net.ErrClosed)
	case !alive:
		c.out.lock.leave(c.l)
		return c.fail(name, c.l.Cause())
	}
	return nil
}

// Write writes all of p, or fails with the count that went out. It parks while the
// peer is slow; p is lent to the kernel until it returns. Several writers take
// turns, each with all of its bytes. Any goroutine may call it; one that is no task
// waits as in package net.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.l.Here() {
		return c.writeAsGuest(p)
	}
	return c.writeHere(p)
}

// writeHere is Write for tasks of the loop.
func (c *Conn) writeHere(p []byte) (int, error) {
	if err := c.beginWrite("write"); err != nil {
		return 0, err
	}
	var n int
	var err error
	if c.records() || c.lendsOut(p) {
		n, err = c.writeWhole(p)
	} else if n, err = c.writeNow(p); err == nil && n < len(p) {
		n, err = c.writeRest(p, n)
	}
	c.out.lock.leave(c.l)
	return n, err
}

// writeWhole writes p otherwise than by plain calls, as far as they go. It is apart so that
// a task that never does has a smaller stack.
//
//go:noinline
func (c *Conn) writeWhole(p []byte) (int, error) {
	if c.records() {
		return c.sendMessage(&message{p: p})
	}
	return c.writeLent(p)
}

// writeBuffer writes the bytes of a buffer that came to src and gives it back, before it
// parks.
func (c *Conn) writeBuffer(b *buf.Buffer, src *Conn) (int, error) {
	if err := c.beginWrite("write"); err != nil {
		b.Pool().Put(b)
		return 0, err
	}
	n, err := c.writeNow(b.Unread())
	if err == nil && n < b.End-b.Off {
		return c.writeCopy(b, n, src)
	}
	b.Pool().Put(b)
	c.out.lock.leave(c.l)
	return n, err
}

// writeCopy writes what writeBuffer could not from a copy. It is apart so that a
// connection that is never slow has a smaller stack.
//
//go:noinline
func (c *Conn) writeCopy(b *buf.Buffer, n int, src *Conn) (int, error) {
	defer c.out.lock.leave(c.l)
	p := append([]byte(nil), b.Unread()...)
	b.Pool().Put(b)
	src.in.spill(src) // it waits as well
	src.in.slow = true
	defer func() { src.in.slow = false }()
	return c.writeRest(p, n)
}

// writeNow sends what the socket takes without waiting, up to pieceMax.
func (c *Conn) writeNow(p []byte) (n int, err error) {
	if err := c.out.barred(c); err != nil {
		return 0, err
	}
	o := &c.local.send
	o.FD, o.Buf = &c.fd, p[:min(len(p), pieceMax)]
	res, ok := c.l.Try(o)
	o.Buf = nil
	switch {
	case !ok:
		return 0, nil
	case res < 0:
		return 0, c.failRes("write", res)
	}
	return int(res), nil
}

// pieceMax is how many bytes one call moves. A peer that is as fast as the loop would
// keep it in a longer one for as long as there are bytes.
const pieceMax = 1 << 20

// writeRest sends p from n on, in an op.
func (c *Conn) writeRest(p []byte, n int) (int, error) {
	out := &c.out
	for n < len(p) {
		if c.l.Canceled() {
			return n, c.fail("write", c.l.Cause())
		}
		o := c.l.NewOp(op.Send)
		if o == nil {
			return n, c.failRes("write", -sys.ENOBUFS)
		}
		o.Flags, o.Buf = op.Full, p[n:min(len(p), n+pieceMax)]
		c.awaitSend(o)
		if out.res > 0 {
			n += int(out.res)
		}
		if n == len(p) {
			break
		}
		if err := out.state(c); err != nil {
			return n, err
		}
	}
	return n, nil
}

// awaitSend submits an op that sends, and parks until it has ended.
func (c *Conn) awaitSend(o *op.Op) {
	out := &c.out
	c.in.spill(c)
	o.FD, o.Sink = &c.fd, (*outputSink)(c)
	out.op, out.waiter = o, c.l.Task()
	if limit := c.writeBy.Load(); limit != 0 {
		c.l.Arm(&out.timer, limit)
	}
	c.l.Submit(o)
	c.l.Park((*outputWait)(c))
	out.waiter = nil
}

// state is why an op ended before all went out; nil if the next attempt will tell.
func (out *output) state(c *Conn) error {
	switch {
	case c.closing:
		return c.fail("write", net.ErrClosed)
	case out.expired(c):
		return c.fail("write", os.ErrDeadlineExceeded)
	case c.l.Canceled():
		return c.fail("write", c.l.Cause())
	case out.res < 0 && out.res != -sys.ECANCELED:
		return c.failRes("write", out.res)
	case out.behind != 0 && out.behind != -sys.ECANCELED:
		return c.failRes("write", out.behind)
	}
	return nil
}

// barred is why a plain call must not be made: the connection has ended, perhaps while a part of
// the same write waited for room, or the deadline has passed.
func (out *output) barred(c *Conn) error {
	switch {
	case c.closing:
		return c.fail("write", net.ErrClosed)
	case out.expired(c):
		return c.fail("write", os.ErrDeadlineExceeded)
	}
	return nil
}

// stopped is why a write that gave way must not go on.
func (out *output) stopped(c *Conn) error {
	if c.closing {
		return c.fail("write", net.ErrClosed)
	}
	return c.fail("write", c.l.Cause())
}

func (out *output) expired(c *Conn) bool {
	limit := c.writeBy.Load()
	return limit != 0 && c.l.NowNS() >= limit
}

// outputSink is the connection as the sink of its send.
type outputSink Conn

// Complete takes the result of the send.
func (s *outputSink) Complete(o *op.Op, res int32, flags uint32) {
	c := (*Conn)(s)
	if flags&op.More != 0 {
		c.out.lent(c, o, res)
		return
	}
	if flags&op.Notif == 0 {
		c.out.res, c.out.behind = res, 0
		if o.Code == op.Send && res > 0 {
			c.out.behind = -int32(o.Arg2)
		}
	}
	c.out.owed = false
	c.out.op = nil
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

// outputWait is the connection as what its writer waits for.
type outputWait Conn

// CancelWait ends the send; its completion lets the writer go, with its count.
func (w *outputWait) CancelWait(*loop.Task) { (*Conn)(w).out.abort((*Conn)(w)) }

// abort ends the send in flight.
func (out *output) abort(c *Conn) {
	if out.op == nil || out.op.Canceled {
		return
	}
	c.l.Cancel(out.op)
	if out.owed {
		out.recall(c)
	}
}
