package ringohertz

import (
	"errors"
	"io"
	"time"

	"github.com/bytedance/gopkg/lang/mcache"

	"ringo"
	"ringo/buf"
)

// ownMin is the least memory, in bytes, that a connection allocates at once for input.
const ownMin = 4 << 10

// A segment is memory with received bytes: a loop's buffer, or memory of its own.
type segment struct {
	lease buf.Lease
	own   []byte
	used  bool
}

func (s *segment) free() {
	s.lease.Release()
	if s.own != nil {
		mcache.Free(s.own)
	}
	*s = segment{}
}

// Len returns how many bytes can be read without waiting.
func (c *conn) Len() int { return len(c.unread) }

// Peek returns the next n bytes in one piece, valid until Release. It returns fewer only with an error.
func (c *conn) Peek(n int) ([]byte, error) {
	if n > len(c.unread) {
		if err := c.fill(n); err != nil {
			return c.unread[:len(c.unread):len(c.unread)], err
		}
	}
	return c.unread[:n:n], nil
}

// Skip discards the next n bytes, and waits for those that have not arrived.
func (c *conn) Skip(n int) error {
	if n <= len(c.unread) {
		c.unread = c.unread[n:]
		return nil
	}
	n -= len(c.unread)
	c.unread = c.unread[len(c.unread):]
	c.limitRead()
	if c.clear {
		_, err := c.sc.Discard(n)
		return said(err)
	}
	_, err := io.CopyN(io.Discard, c.nc, int64(n))
	return said(err)
}

// ReadByte returns the next byte.
func (c *conn) ReadByte() (byte, error) {
	p, err := c.Peek(1)
	if err != nil {
		return 0, err
	}
	b := p[0]
	c.unread = c.unread[1:]
	return b, nil
}

// ReadBinary returns a copy of the next n bytes.
func (c *conn) ReadBinary(n int) ([]byte, error) {
	p := make([]byte, n)
	from, err := c.Peek(n)
	if err != nil {
		return nil, err
	}
	copy(p, from)
	c.unread = c.unread[n:]
	return p, nil
}

// Read copies received bytes to p, and waits if there are none. Like Read of hertz's standard transport it also calls
// Release, since code that has taken over a connection does not.
func (c *conn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.unread) == 0 {
		return c.receive(p)
	}
	n = copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, c.Release()
}

// Release frees the memory of everything that was read. Slices that Peek returned are invalid from then on.
func (c *conn) Release() error {
	for i := range c.spent {
		c.spent[i].free()
	}
	c.spent = c.spent[:0]
	if len(c.unread) == 0 && c.at.used {
		c.at.free()
		c.unread = nil
	}
	return nil
}

// fill waits until at least n bytes are unread in one piece. For a task, the bytes that arrive first stay in the
// loop's buffer; if there have to be more, all are gathered in memory of the connection's own, since a connection must
// not hold many of the loop's buffers. A goroutine reads into memory of the connection's own from the start: while its
// read waits, no buffer of the loop has the bytes yet.
func (c *conn) fill(n int) error {
	if !c.at.used && c.leases {
		if _, err := c.receive(nil); err != nil {
			return err
		}
	}
	if n <= len(c.unread) {
		return nil
	}
	c.gather(n)
	for n > len(c.unread) {
		have := len(c.unread)
		m, err := c.receive(c.unread[have:cap(c.unread)])
		c.unread = c.unread[:have+m]
		if err != nil && n > len(c.unread) {
			return err
		}
	}
	return nil
}

// gather makes room for n bytes in one piece.
func (c *conn) gather(n int) {
	if c.at.own != nil && n <= cap(c.unread) {
		return
	}
	own := mcache.Malloc(max(n, ownMin))
	have := copy(own, c.unread)
	if c.at.used {
		c.spent = append(c.spent, c.at)
	}
	c.at = segment{own: own, used: true}
	c.unread = own[:have]
}

// receive waits for bytes: in p, or in the buffer where they arrived if p is nil. A connection that waits for a
// request is idle meanwhile.
func (c *conn) receive(p []byte) (n int, err error) {
	c.limitRead()
	idle := c.between
	if idle {
		c.sc.SetIdle(true)
	}
	n, err = c.receiveOnce(p)
	if idle && errors.Is(err, ringo.ErrDraining) && c.linger > 0 {
		c.sc.SetIdle(false)
		c.SetReadDeadline(time.Now().Add(c.linger))
		n, err = c.receiveOnce(p)
	}
	if err != nil {
		return n, said(err)
	}
	c.flushed.Store(false)
	if idle {
		c.between = false
		c.sc.SetIdle(false)
	}
	return n, nil
}

func (c *conn) receiveOnce(p []byte) (int, error) {
	if p != nil {
		return c.nc.Read(p)
	}
	lease, err := c.sc.Next()
	if err != nil {
		return 0, err
	}
	c.take(lease)
	return 0, nil
}

// take makes the bytes of a lease the unread ones.
func (c *conn) take(lease buf.Lease) {
	p := lease.Bytes()
	c.at = segment{lease: lease, used: true}
	c.unread = p[:len(p):len(p)]
}

// limitRead sets the deadline that SetReadTimeout has left for the first wait.
func (c *conn) limitRead() {
	if !c.unset {
		return
	}
	c.unset = false
	switch {
	case c.limit > 0:
		c.limited = true
		c.nc.SetReadDeadline(time.Now().Add(c.limit))
	case c.limited:
		c.limited = false
		c.nc.SetReadDeadline(time.Time{})
	}
}

// said returns an error of the input as hertz expects it: on an idle connection the drain means io.EOF.
func said(err error) error {
	if errors.Is(err, ringo.ErrDraining) {
		return io.EOF
	}
	return err
}
