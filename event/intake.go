package event

import (
	"io"
	"net"

	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// intake is a slice that is to be filled with what comes, in place of showing it.
type intake struct {
	p    []byte
	n    int // of p: filled
	then func(n int, err error)
}

// directMin is from how many bytes on that are missing the kernel is to put them where they belong. Fewer are copied
// out of the loop's buffers, which costs less than to begin a receive anew.
const directMin = 32 << 10

// ReadFull has the next len(p) bytes be put into p, and then be called, with OnData and OnEnd silent meanwhile: for
// bodies whose length is known. Bytes that OnData does not use are the first. Where many are missing the kernel puts
// them into p itself. p is lent until then is called: with an error if fewer have come, which is io.ErrUnexpectedEOF
// where the peer has ended its side, and otherwise why the connection closes. There is one ReadFull at a time.
func (c *Conn) ReadFull(p []byte, then func(n int, err error)) error {
	e := c.here("Conn.ReadFull")
	switch {
	case c.state != open:
		return c.notOpen("read")
	case c.flags&taking != 0:
		return c.opError("read", errTaking)
	case c.set.records:
		return c.opError("read", errRecords)
	case then == nil:
		panic("event: Conn.ReadFull of a nil function")
	}
	if e.intakes == nil {
		e.intakes = map[*Conn]*intake{}
	}
	e.intakes[c] = &intake{p: p, then: then}
	c.flags |= taking
	if len(c.rest) > 0 && e.shown.c != c {
		c.flags |= unshown
	}
	c.wake()
	return nil
}

// take puts bytes of rest, and those of b behind them, where they are wanted. What is over is unshown.
func (c *Conn) take(b *bufs.Buffer) {
	e := c.e
	in := e.intakes[c]
	e.l.Charge()
	k := copy(in.p[in.n:], c.rest)
	in.n += k
	c.skip(k)
	if b != nil {
		if len(c.rest) == 0 {
			k = copy(in.p[in.n:], b.Unread())
			in.n += k
			b.Off += k
		}
		if b.Off < b.End {
			c.add(b.Unread())
		}
		b.Pool().Put(b)
	}
	c.flags &^= unshown
	if len(c.rest) > 0 {
		c.flags |= unshown
	} else {
		e.giveBack(c.rest)
		c.rest = nil
	}
	c.endIntake(nil)
}

// isFull reports whether there is an intake, and nothing of it is missing.
func (c *Conn) isFull() bool {
	if c.flags&taking == 0 {
		return false
	}
	in := c.e.intakes[c]
	return in.n == len(in.p)
}

// endIntake ends it if it is full, or there is an error.
func (c *Conn) endIntake(err error) {
	in := c.e.intakes[c]
	if err == nil && in.n < len(in.p) {
		return
	}
	delete(c.e.intakes, c)
	c.flags &^= taking
	in.then(in.n, err)
}

// takesDirectly reports whether the kernel is to put what comes where it belongs.
func (c *Conn) takesDirectly() bool {
	if c.flags&taking == 0 || c.head != nil {
		return false
	}
	in := c.e.intakes[c]
	return len(in.p)-in.n >= directMin
}

// fill has the driver receive into what is to be filled: when what else may be armed has ended.
func (c *Conn) fill() {
	l := c.e.l
	if c.recv != nil {
		if c.how == receiving && !c.recv.Canceled {
			l.Cancel(c.recv)
		}
		return
	}
	o := l.NewOp(op.Recv)
	if o == nil {
		c.fail(sys.ENOBUFS)
		return
	}
	in := c.e.intakes[c]
	o.FD, o.Buf, o.Sink = &c.fd, in.p[in.n:min(len(in.p), in.n+pieceMax)], (*receiver)(c)
	c.recv, c.how = o, filling
	l.Submit(o)
}

// filled takes what such a receive brought.
func (c *Conn) filled(res int32) {
	switch {
	case res > 0:
		c.e.intakes[c].n += int(res)
	case res == 0:
		c.flags |= ended
	case res != -sys.ECANCELED:
		c.broken(res)
	}
}

// leaveIntake tells that no more will come.
func (c *Conn) leaveIntake() {
	if c.flags&taking == 0 {
		return
	}
	err := c.why()
	if err == nil || err == io.EOF {
		err = net.ErrClosed
	}
	c.endIntake(err)
}
