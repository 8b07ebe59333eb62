package sock

import (
	"bufio"
	"errors"
	"io"

	"ringo/buf"
	"ringo/internal/sys"
)

// errLeases is what Next gives at the bound.
var errLeases = errors.New("the connection's leases are all held (ringo.Config.Leases): release one first")

// beginRead takes the reader's turn.
func (c *Conn) beginRead(name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	if !c.in.lock.enter(c.l) {
		return c.fail(name, c.l.Cause())
	}
	c.l.Spend() // also for bytes that are here: it gives way before it fetches more
	c.in.peeked = false
	return nil
}

// Read reads what there is into p, at least one byte, and parks until then. p is
// lent to the kernel until it returns. io.EOF is bare; everything else is a
// *net.OpError. A read deadline that has passed fails the call even if bytes are
// there, which stay unread.
//
// Any goroutine may call it; one that is no task waits as in package net.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.l.Marked() {
		if n, err := c.readAsGuest(p); err != errHome {
			return n, err
		}
	}
	if err := c.beginRead("read"); err != nil {
		return 0, err
	}
	defer c.in.lock.leave(c.l)
	in := &c.in
	if in.byHand() && in.buffered() == 0 && !c.l.GiveWay() {
		return 0, c.fail("read", c.l.Cause())
	}
	for {
		if c.closing || in.expired(c) && len(p) > 0 {
			return 0, in.state(c, "read")
		}
		if len(p) == 0 {
			return 0, nil
		}
		if in.buffered() > 0 {
			return in.copyTo(c, p), nil
		}
		if in.byHand() {
			if n, ok := in.recv(c, p); ok {
				return n, nil
			}
		}
		if err := in.state(c, "read"); err != nil {
			return 0, err
		}
		if !in.wait(c) {
			return 0, c.fail("read", c.l.Cause())
		}
	}
}

// some parks until there are unread bytes.
func (c *Conn) some(name string) error {
	in := &c.in
	if in.byHand() && in.buffered() == 0 && !c.l.Burst() {
		return c.fail(name, c.l.Cause())
	}
	for {
		if c.closing || in.expired(c) {
			return in.state(c, name)
		}
		if in.buffered() > 0 {
			return nil
		}
		if in.fill(c); in.buffered() > 0 {
			return nil
		}
		if err := in.state(c, name); err != nil {
			return err
		}
		if !in.wait(c) {
			return c.fail(name, c.l.Cause())
		}
	}
}

// Next gives the next unread bytes in the buffer in which they came, without a
// copy. The caller owns them until Release. It parks until there are some. With
// Config.Leases of this connection's leases held it fails at once.
// Any goroutine may call it.
func (c *Conn) Next() (buf.Lease, error) {
	if !c.l.Marked() {
		if b, err := c.nextAsGuest(); err != errHome {
			return b, err
		}
	}
	if err := c.beginRead("read"); err != nil {
		return buf.Lease{}, err
	}
	defer c.in.lock.leave(c.l)
	if int(c.in.held.Load()) >= c.l.Config().Leases {
		return buf.Lease{}, c.fail("read", errLeases)
	}
	if err := c.some("read"); err != nil {
		return buf.Lease{}, err
	}
	b := c.nextBuffer()
	if b == nil {
		return buf.Lease{}, c.failRes("read", -sys.ENOBUFS)
	}
	return b.Lease(&c.in.held), nil
}

// nextBuffer takes the first unread bytes as a buffer; nil if the loop's plain
// buffers are all in use.
func (c *Conn) nextBuffer() *buf.Buffer {
	in := &c.in
	if in.accOff == len(in.acc) {
		return in.pop()
	}
	b := c.l.Plain().Take()
	if b == nil {
		return nil
	}
	b.Off, b.End = 0, copy(b.Mem(), in.acc[in.accOff:])
	in.skip(c, b.End)
	return b
}

// Buffered is how many unread bytes are here now. A task of the loop does not wait;
// others wait for whoever is reading. A closed connection has none.
func (c *Conn) Buffered() int {
	if !c.l.Here() {
		n, _ := c.bufferedAsGuest()
		return n
	}
	if c.in.lock.away != nil && !c.in.lock.away.reclaimNow() {
		return 0 // they are with whoever reads
	}
	return c.in.buffered()
}

// peekMax is the bound of Peek outside Serve.
const peekMax = 65536

// Peek gives the next n unread bytes in one piece without reading them, fewer only
// with an error. It parks until they are here, so not if n <= Buffered(). The bytes
// are valid until the next Read, Next, Peek, Discard or Close; Write keeps them.
// More than Handler.Unread bytes, 65536 without Serve, are bufio.ErrBufferFull
// unless they are here already.
func (c *Conn) Peek(n int) ([]byte, error) {
	if n < 0 {
		return nil, bufio.ErrNegativeCount
	}
	if !c.l.Marked() {
		if p, err := c.peekAsGuest(n); err != errHome {
			return p, err
		}
	}
	if err := c.beginRead("read"); err != nil {
		return nil, err
	}
	defer c.in.lock.leave(c.l)
	if n > max(c.serve.unreadMax(), c.in.buffered()) { // what is here can be had: the kernel may bring more than the bound
		return nil, bufio.ErrBufferFull
	}
	err := c.need(n)
	p := c.piece(min(n, c.in.buffered()))
	c.in.peeked = true
	return p, err
}

// need parks until n bytes are unread. Buffers beyond the first are gathered as
// they come, so that n may exceed what a connection may hold in buffers.
func (c *Conn) need(n int) error {
	in := &c.in
	for in.buffered() < n {
		if in.fill(c); in.buffered() >= n {
			return nil
		}
		if err := in.state(c, "read"); err != nil {
			return err
		}
		for in.count > 1 || in.count == 1 && in.accOff < len(in.acc) {
			in.gather(c)
		}
		if in.byHand() {
			continue
		}
		if !in.wait(c) {
			return c.fail("read", c.l.Cause())
		}
	}
	return nil
}

// piece gives the first n unread bytes, which are here, in one piece.
func (c *Conn) piece(n int) []byte {
	in := &c.in
	if in.accOff == len(in.acc) && in.head != nil && in.head.End-in.head.Off >= n {
		return in.head.Unread()[:n:n]
	}
	for len(in.acc)-in.accOff < n {
		in.gather(c)
	}
	return in.acc[in.accOff : in.accOff+n : in.accOff+n]
}

// Discard drops the next n bytes, and parks until they were here; so not if
// n <= Buffered(). It gives how many it dropped, fewer than n only with an error.
func (c *Conn) Discard(n int) (int, error) {
	if n < 0 {
		return 0, bufio.ErrNegativeCount
	}
	if !c.l.Marked() {
		if n, err := c.discardAsGuest(n); err != errHome {
			return n, err
		}
	}
	if err := c.beginRead("read"); err != nil {
		return 0, err
	}
	defer c.in.lock.leave(c.l)
	for left := n; left > 0; {
		k := min(left, c.in.buffered())
		c.in.skip(c, k)
		if left -= k; left == 0 {
			break
		}
		if err := c.some("read"); err != nil {
			return n - left, err
		}
	}
	return n, nil
}

// WriteTo writes everything that comes to w, until the peer's end of stream, and
// gives the count. io.Copy uses it. The bytes go from the buffers in which they
// came, and to a Conn of the same loop without a copy.
// Any goroutine may call it.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if !c.l.Here() {
		if _, err := c.guest(); err != nil {
			return 0, c.failGuest("read", err)
		}
		return io.Copy(w, struct{ io.Reader }{c})
	}
	if err := c.beginRead("read"); err != nil {
		return 0, err
	}
	defer c.in.lock.leave(c.l)
	dst, _ := w.(*Conn)
	if dst != nil && dst.l != c.l {
		dst = nil // it copies
	}
	var total int64
	for {
		if err := c.some("read"); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		b := c.nextBuffer()
		if b == nil {
			return total, c.failRes("read", -sys.ENOBUFS)
		}
		var n int
		var err error
		if dst != nil {
			n, err = dst.writeBuffer(b)
		} else {
			n, err = pass(w, b)
		}
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// pass writes a buffer's bytes to a stranger and gives it back.
//
//go:noinline
func pass(w io.Writer, b *buf.Buffer) (int, error) {
	defer b.Pool().Put(b) // also if w panics
	p := b.Unread()
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
