package sock

import (
	"io"

	"ringo/internal/handle"
	"ringo/internal/stream"
)

// A connection of network unixpacket carries records: each is what one write has sent. The next record may have been
// fetched before a caller reads it; no further one ever is, so the unread bytes are always part of one record. A
// receive of 0 bytes is an empty record or the end, and the kernel does not say which; so, as in package net, it reads
// as io.EOF, and a caller that reads again gets what comes next.

// beginRecord forgets an end of the stream that may have been an empty record.
func (in *input) beginRecord() {
	if in.EOF() {
		in.End(false, in.Err())
		in.Retry()
	}
}

// fillRecord receives a record, if none is here. A record that is longer than a buffer gets memory of its own.
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
	in.fillMem(c, int(size))
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
	res, ok := a.Try() // it is there, even if the deadline has passed
	if o.Buf = nil; !ok {
		return c.fetchRecord(a)
	}
	n, err := c.received(a, res, nil)
	in.Grown(n)
	return err
}

// someOfRecord waits until the next record is here. One that is here needs no deadline.
func (c *Conn) someOfRecord(a handle.Access, n int) error {
	if in, _ := c.input(a); n == 0 || in.Any() {
		return nil
	}
	return c.some(a, 0)
}

// within returns the error for a record that ends before n bytes.
func within(n, got int) error {
	if got < n {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// unreadMax returns how many bytes a Request may leave unread. It has to read a whole record, since no further one is
// fetched before.
func (c *Conn) unreadMax() int {
	if c.records() {
		return 0
	}
	return c.serve.unreadMax()
}
