package sock

import (
	"bufio"
	"io"

	"ringo/buf"
	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// Read reads available bytes into p, and waits until there is at least one: a task of any loop parks, and fails if it
// is cancelled; a goroutine waits as in package net. An empty p returns at once. The kernel may use p until Read
// returns. io.EOF is returned bare; any other error is a *net.OpError. After the read deadline Read fails and leaves
// available bytes unread, unless they arrived in time and woke the task in the same turn. Any goroutine may call it.
func (c *Conn) Read(p []byte) (n int, err error) {
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	n, err = c.read(a, p)
	c.core.Given(n)
	c.core.Leave(a)
	if err != nil {
		err = c.failed("read", err)
	}
	return n, err
}

// read is Read for a caller that has access.
func (c *Conn) read(a handle.Access, p []byte) (int, error) {
	if err := c.turn(a); err != nil || len(p) == 0 {
		return 0, err
	}
	for {
		if here, err := c.ready(a, 0, false); err != nil {
			return 0, err
		} else if here {
			in, t := c.input(a)
			return c.take(in, t, p), nil
		}
		switch {
		case !a.Own():
			if !c.records() {
				p = p[:min(len(p), pieceMax)]
			}
			res, err := a.Move(p) // here, where the stack is not deep: TestParkedStacks
			return c.received(a, res, err)
		case c.in.Bulk() && c.unix == nil && len(p) < c.l.Config().BufferSize:
			c.in.fillBuffer(c) // much in small pieces: one call for many, where no descriptors come with what follows
		default:
			if n, ok := c.in.recv(c, p); ok {
				return n, nil
			}
		}
	}
}

// some waits until more than n bytes are unread.
func (c *Conn) some(a handle.Access, n int) error {
	_, err := c.ready(a, n, true)
	return err
}

// Next returns the next unread bytes in the buffer in which they arrived, without a copy. The caller owns the buffer
// until Release. It parks until there are some. If the program already holds Config.Leases leases of this connection,
// it fails at once with ErrLeases. Any goroutine may call it.
func (c *Conn) Next() (lease buf.Lease, err error) {
	a, err := c.beginNext()
	if err != nil {
		return lease, err
	}
	err = c.lend(a, &lease)
	c.core.Given(len(lease.Bytes()))
	c.core.Leave(a)
	return lease, err
}

// beginNext waits for access to the input, and a task of the loop parks until there are bytes to lend. It is apart so
// that a parked stack holds no lease: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) beginNext() (handle.Access, error) {
	a, err := c.enterRead()
	if err != nil {
		return a, err
	}
	switch {
	case int(c.held.Load()) >= c.l.Config().Leases:
		err = ErrLeases
	default:
		err = c.some(a, 0)
	}
	if err != nil {
		c.core.Leave(a)
		err = c.failed("read", err)
	}
	return a, err
}

// lend lends the first unread bytes, which must be here. It is apart for the same reason as beginNext:
// BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) lend(a handle.Access, lease *buf.Lease) error {
	if in, _ := c.input(a); !a.Own() || c.records() && len(in.Mem()) > 0 {
		*lease = buf.Lease(bufs.Of(in.TakeMem(), &c.held))
	} else if b := c.nextBuffer(); b != nil {
		*lease = buf.Lease(b.Lease(&c.held))
	} else {
		return c.readFailed(-sys.ENOBUFS)
	}
	return nil
}

// nextBuffer takes the first unread bytes, in a buffer. It returns nil if the loop's plain buffers are all in use.
func (c *Conn) nextBuffer() *bufs.Buffer {
	in := &c.in
	if len(in.Mem()) == 0 {
		return in.Pop()
	}
	b := c.l.Buffers().Plain.Take()
	if b == nil {
		return nil
	}
	b.Off, b.End = 0, copy(b.Mem(), in.Mem())
	in.skip(c, b.End)
	return b
}

// Buffered returns the number of received, unread bytes. It does not wait: bytes that another caller is reading don't
// count. A closed connection has none. Any goroutine may call it.
func (c *Conn) Buffered() int {
	if c.core.Runs() && !c.core.Own(handle.In).Lent() {
		return c.in.Unread()
	}
	return c.bufferedElsewhere()
}

// bufferedElsewhere is Buffered for foreign callers, and for a task of the loop while foreign callers have the input.
func (c *Conn) bufferedElsewhere() int {
	if !c.l.IsCurrent() {
		n, theirs := c.core.Unread()
		if !theirs { // the loop counts its own: a task may be looking at them in place
			onOwner(c.l, func() error {
				n = c.Buffered()
				return nil
			})
		}
		return n
	}
	if c.core.Check() != nil || !c.core.Reclaim(handle.In) {
		n, _ := c.core.Unread() // closed, or a foreign caller reads
		return n
	}
	return c.in.Unread()
}

// peekMax returns the most that Peek may be asked for.
func (c *Conn) peekMax(a handle.Access) int {
	if a.Own() {
		return c.serve.unreadMax()
	}
	return unreadMax
}

// Peek returns the next n unread bytes in one piece without consuming them, fewer only with an error. It parks until
// they have arrived; it does not park if n <= Buffered(). The bytes are valid until the next Read, Next, Peek, Discard
// or Close, but not affected by Write. More than Handler.Unread bytes, 65536 without Serve, fail with
// bufio.ErrBufferFull unless they have already arrived.
func (c *Conn) Peek(n int) (p []byte, err error) {
	if n < 0 {
		return nil, bufio.ErrNegativeCount
	}
	a, err := c.enterRead()
	if err != nil {
		return nil, err
	}
	defer c.core.Leave(a)
	in, t := c.input(a)
	switch {
	case c.records():
		err = c.someOfRecord(a, n)
	case n > max(c.peekMax(a), in.Unread()): // bytes that are here are not too many
		return nil, c.failed("read", bufio.ErrBufferFull)
	default:
		err = c.need(a, n)
	}
	if p = piece(in, t, min(n, in.Unread())); a.Own() {
		c.in.peeked = true
	}
	if c.records() && err == nil {
		err = within(n, len(p))
	}
	c.core.Given(len(p))
	return p, c.failed("read", err)
}

// need waits until n bytes are unread. It gathers buffers beyond the first as they come, so that n may exceed what a
// connection may hold in buffers.
func (c *Conn) need(a handle.Access, n int) error {
	in, t := c.input(a)
	for have := in.Unread(); have < n; have = in.Unread() {
		for in.Pieces() > 1 && in.First() != nil {
			in.Gather(t)
		}
		c.core.Given(have)
		if err := c.some(a, have); err != nil {
			return err
		}
	}
	return nil
}

// piece returns the first n unread bytes, which must be here, in one piece.
func piece(in *stream.In, t *stream.Tools, n int) []byte {
	if b := in.First(); b != nil && len(in.Mem()) == 0 && b.End-b.Off >= n {
		return b.Unread()[:n:n]
	}
	for len(in.Mem()) < n {
		in.Gather(t)
	}
	return in.Mem()[:n:n]
}

// Discard skips the next n bytes, and parks until they have arrived; it does not park if n <= Buffered(). It returns
// how many it skipped, fewer than n only with an error. Any goroutine may call it.
func (c *Conn) Discard(n int) (done int, err error) {
	if n < 0 {
		return 0, bufio.ErrNegativeCount
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	in, t := c.input(a)
	for done < n {
		k := min(n-done, in.Unread())
		in.Skip(t, k)
		if done += k; done == n {
			break
		}
		if c.core.Given(k); c.records() && done > 0 {
			err = io.ErrUnexpectedEOF // a record's end
			break
		}
		if err = c.upTo(a, n-done); err != nil {
			break
		}
	}
	c.core.Given(done)
	return done, c.failed("read", err)
}

// upTo is some for a caller that wants n bytes at most. From a Unix stream it receives no more: what follows may carry
// descriptors, which are for RecvFiles.
func (c *Conn) upTo(a handle.Access, n int) error {
	if c.unix == nil || c.records() {
		return c.some(a, 0)
	}
	if err := c.turn(a); err != nil {
		return err
	}
	here, err := c.ready(a, 0, false)
	switch {
	case here || err != nil:
		return err
	case a.Own():
		c.in.fillMem(c, min(n, c.l.Config().BufferSize))
		return nil
	}
	return c.fetch(a, n)
}
