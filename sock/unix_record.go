package sock

import (
	"io"

	"ringo/internal/handle"
	"ringo/internal/stream"
)

// Records are what a connection of network unixpacket carries: as much as one write
// sent, never two together. The next one may be here while nobody has read it; more
// are never fetched, so that what is unread is always part of one record. A receive of
// nothing is a record of no bytes or the end, the kernel does not say which; so, as
// with package net, it reads as io.EOF, and whoever reads on is told what comes next.

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
	size, ok := c.local.Receive(c.core.FD(), nil, stream.HowLong)
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

// fetchRecord fetches the next record for a foreign caller.
func (c *Conn) fetchRecord(a handle.Access) error {
	in, o := a.Input(), a.Op()
	o.CallFlags = stream.HowLong
	size, err := a.Do()
	if o.CallFlags = 0; err != nil {
		return err
	}
	if size < 0 {
		_, err := c.received(a, size, nil)
		return err
	}
	o.Buf = in.Grow(nil, max(int(size), 1))
	res, ok := a.Try() // it is there, in time or not
	if o.Buf = nil; !ok {
		return c.fetchRecord(a)
	}
	n, err := c.received(a, res, nil)
	in.Grown(n)
	return err
}

// someOfRecord waits until n bytes of a record are here, or all that it has: those that are need no deadline.
func (c *Conn) someOfRecord(a handle.Access, n int) error {
	if in, _ := c.input(a); n == 0 || in.Any() {
		return nil
	}
	return c.some(a, 0)
}

// within is the error for a record that ends before n bytes.
func within(n, got int) error {
	if got < n {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// unreadMax is how many bytes a Request may leave. A record it has to take, since none
// is fetched behind it.
func (c *Conn) unreadMax() int {
	if c.records() {
		return 0
	}
	return c.serve.unreadMax()
}
