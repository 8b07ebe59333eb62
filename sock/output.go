package sock

import (
	"ringo/buf"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Write writes all of p, or fails with the count that went out. It parks while the
// peer is slow; p is lent to the kernel until it returns. Several writers take
// turns, each with all of its bytes. Any goroutine may call it; one that is no task
// waits as in package net.
func (c *Conn) Write(p []byte) (n int, err error) {
	a, err := c.enterWrite()
	if err != nil {
		return 0, err
	}
	if a.Own() {
		n, err = c.writeOwn(p)
	} else {
		n, err = c.writeForeign(a, p)
	}
	c.core.Leave(a)
	if err != nil {
		err = c.fail("write", err)
	}
	return n, err
}

// writeOwn is Write for a task of the loop that has access.
func (c *Conn) writeOwn(p []byte) (n int, err error) {
	if c.records() || c.lendsOut(p) {
		return c.writeWhole(p)
	}
	if n, err = c.writeNow(p); err == nil && n < len(p) {
		n, err = c.writeRest(p, n)
	}
	return n, err
}

// writeForeign is Write for a foreign caller that has access.
func (c *Conn) writeForeign(a handle.Access, p []byte) (n int, err error) {
	piece := pieceMax
	if c.records() {
		piece = max(piece, len(p))
	}
	for o := a.Op(); ; {
		o.Buf = p[n:min(len(p), n+piece)]
		res, err := a.Do()
		switch {
		case err != nil:
			return n, err
		case res < 0:
			return n, callError("write", res)
		}
		if n += int(res); n == len(p) {
			return n, nil
		}
	}
}

// writeWhole writes p otherwise than by plain calls, as far as they go. It is apart so that
// a task that never does has a smaller stack: BenchmarkIdleMemory.
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
	a, err := c.enterWrite()
	if err != nil {
		b.Pool().Put(b)
		return 0, err
	}
	n, err := c.writeNow(b.Unread())
	if err == nil && n < b.End-b.Off {
		n, err = c.writeCopy(b, n, src)
	} else {
		b.Pool().Put(b)
	}
	c.core.Leave(a)
	return n, c.failed("write", err)
}

// writeCopy writes what writeBuffer could not from a copy. It is apart so that a
// connection that is never slow has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeCopy(b *buf.Buffer, n int, src *Conn) (int, error) {
	p := append([]byte(nil), b.Unread()...)
	b.Pool().Put(b)
	src.in.stall(src) // it waits as well
	src.in.slow = true
	defer func() { src.in.slow = false }()
	return c.writeRest(p, n)
}

// writeNow sends what the socket takes without waiting, up to pieceMax.
func (c *Conn) writeNow(p []byte) (n int, err error) {
	if !c.core.Free(handle.Out) {
		if err := c.core.State(handle.Out); err != nil {
			return 0, err
		}
	}
	o := &c.local.send
	o.FD, o.Buf = c.core.FD(), p[:min(len(p), pieceMax)]
	res, ok := c.l.Try(o)
	o.Buf = nil
	switch {
	case !ok:
		return 0, nil
	case res < 0:
		return 0, callError("write", res)
	}
	return int(res), nil
}

// pieceMax is how many bytes one call moves. A peer that is as fast as the loop would
// keep it in a longer one for as long as there are bytes.
const pieceMax = 1 << 20

// writeRest sends p from n on, in an op.
func (c *Conn) writeRest(p []byte, n int) (int, error) {
	for n < len(p) {
		o, err := c.newSend(op.Send)
		if err != nil {
			return n, err
		}
		o.Flags, o.Buf = op.Full, p[n:min(len(p), n+pieceMax)]
		if res := c.awaitSend(o); res > 0 {
			n += int(res)
		}
		if n == len(p) {
			break
		}
		if err := c.core.Why(handle.Out, "write"); err != nil {
			return n, err
		}
	}
	return n, nil
}

// newSend gives an op for a task that may wait with it.
func (c *Conn) newSend(code op.Code) (*op.Op, error) {
	if c.l.Canceled() {
		return nil, c.l.Cause()
	}
	o := c.l.NewOp(code)
	if o == nil {
		return nil, callError("write", -sys.ENOBUFS)
	}
	return o, nil
}

// awaitSend submits an op that sends, and parks until it has ended.
func (c *Conn) awaitSend(o *op.Op) int32 {
	c.in.stall(c)
	return c.core.Await(handle.Out, o)
}
