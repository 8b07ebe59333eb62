package ringohertz

import (
	"errors"
	"io"
	"time"

	"github.com/bytedance/gopkg/lang/mcache"

	"ringo"
	"ringo/buf"
)

// ownMin is the least memory of its own that a connection takes for input, in bytes.
const ownMin = 4 << 10

// A segment is memory with received bytes: a loop's buffer, or own.
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

// Len returns how many bytes are in hand.
func (c *conn) Len() int { return len(c.unread) }

// Peek returns the next n bytes in one piece, valid until Release; fewer only with an error.
func (c *conn) Peek(n int) ([]byte, error) {
	if n > len(c.unread) {
		if err := c.fill(n); err != nil {
			return c.unread[:len(c.unread):len(c.unread)], err
		}
	}
	return c.unread[:n:n], nil
}

// Skip skips the next n bytes, and waits for those that have not come.
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

// Read copies what is in hand to p, or waits for something. Like the one of hertz's standard transport it releases what
// was read: those that have taken over a connection know no Release.
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

// Release gives back the memory of all that was read. What is peeked at is invalid then.
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

// fill has at least n bytes in hand. What arrives first is left in the loop's buffer, for a task; the rest is gathered
// behind it in memory of its own, since a connection must not hold many of a loop's. A goroutine's reads go there at
// once: no buffer of the loop has anything yet when it waits.
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

// receive waits for bytes: in p, or where they arrived if p is nil. One that waits for a request is idle meanwhile.
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

// take has the bytes of a lease in hand.
func (c *conn) take(lease buf.Lease) {
	p := lease.Bytes()
	c.at = segment{lease: lease, used: true}
	c.unread = p[:len(p):len(p)]
}

// limitRead sets the deadline that SetReadTimeout has put off.
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

// said is an error of the input as hertz knows it: to an idle connection the drain is the end.
func said(err error) error {
	if errors.Is(err, ringo.ErrDraining) {
		return io.EOF
	}
	return err
}
