package sock

import (
	"io"

	"ringo/buf"
	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Records are what a connection of network unixpacket carries: as much as one write
// sent, never two together. The next one may be here while nobody has read it; more
// are never fetched, so that what is unread is always part of one record. A receive of
// nothing is a record of no bytes or the end, the kernel does not say which; so, as
// with package net, it reads as io.EOF, and whoever reads on is told what comes next.

// howLong has a receive tell the length of the next record, and leave it. See recv(2).
const howLong = sys.MsgPeek | sys.MsgTrunc

// beginRecord forgets an end that may have been none.
func (in *input) beginRecord() {
	if in.EOF() {
		in.End(false, in.Err())
		in.Retry()
	}
}

// fillRecord receives a record, if none is here. One that is longer than a buffer has
// memory of its own.
func (in *input) fillRecord(c *Conn) {
	if in.Any() {
		return
	}
	o := call(c.l, op.Recv)
	o.CallFlags = howLong
	size, ok := c.try(o)
	switch {
	case !ok:
		in.Dry()
		return
	case size < 0:
		in.Fail(size)
		return
	case int(size) <= c.l.Config().BufferSize:
		in.fillBuffer(c)
		return
	}
	if n, ok := in.recv(c, in.Grow(&c.local.Tools, int(size))); ok {
		in.Grown(n)
		c.serve.more = true
	}
}

// peekRecord is Peek for a record.
func (c *Conn) peekRecord(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if err := c.someRecord(); err != nil {
		return nil, err
	}
	p := c.piece(min(n, c.in.Unread()))
	c.in.peeked = true
	return p, within(n, len(p))
}

// discardRecord is Discard for a record.
func (c *Conn) discardRecord(n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	if err := c.someRecord(); err != nil {
		return 0, err
	}
	k := min(n, c.in.Unread())
	c.in.skip(c, k)
	return k, within(n, k)
}

// someRecord is some for calls that need no deadline for bytes that are here.
func (c *Conn) someRecord() error {
	if c.in.Any() {
		return nil
	}
	return c.some()
}

// within is the error for a record that ends before n bytes.
func within(n, got int) error {
	if got < n {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// longRecord leases a record that has memory of its own; false if there is none.
func (c *Conn) longRecord() (buf.Lease, bool) {
	in := &c.in
	if !c.records() || len(in.Mem()) == 0 {
		return buf.Lease{}, false
	}
	return buf.Lease(bufs.Of(in.TakeMem(), &c.held)), true
}

// unreadMax is how many bytes a Request may leave. A record it has to take, since none
// is fetched behind it.
func (c *Conn) unreadMax() int {
	if c.records() {
		return 0
	}
	return c.serve.unreadMax()
}
