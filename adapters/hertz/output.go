package ringohertz

import (
	"io"
	"net"
	"time"

	"github.com/bytedance/gopkg/lang/mcache"
)

const (
	// pieceMin is the least memory, in bytes, that is allocated at once for output. A small write of a task may have
	// as much.
	pieceMin = 4 << 10
	// copyMax is the longest slice, in bytes, that WriteBinary copies; longer ones are sent from where they are.
	copyMax = 4<<10 - 1
)

// A piece is memory with bytes to send: own, or the caller's.
type piece struct {
	p   []byte
	own bool
}

// Malloc returns n bytes after what was written before. The caller fills them before Flush.
func (c *conn) Malloc(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if last := len(c.written) - 1; last >= 0 {
		w := &c.written[last]
		if have := len(w.p); w.own && cap(w.p)-have >= n {
			w.p = w.p[:have+n]
			return w.p[have : have+n : have+n], nil
		}
	}
	p := mcache.Malloc(n, pieceMin)
	c.written = append(c.written, piece{p, true})
	return p[:n:n], nil
}

// WriteBinary writes p, which must not be changed before Flush.
func (c *conn) WriteBinary(p []byte) (int, error) {
	if len(p) > copyMax {
		c.written = append(c.written, piece{p, false})
		return len(p), nil
	}
	to, err := c.Malloc(len(p))
	return copy(to, p), err
}

// Flush sends everything written. A small answer of a task is sent at the end of the loop's turn; if that fails, the
// next Flush returns the error.
func (c *conn) Flush() (err error) {
	c.flushed.Store(true)
	switch len(c.written) {
	case 0:
		return nil
	case 1:
		c.limitWrite()
		_, err = c.nc.Write(c.written[0].p)
	default:
		c.limitWrite()
		err = c.flushAll()
	}
	c.drop()
	return err
}

// flushAll sends several pieces, by one call if there is no TLS.
func (c *conn) flushAll() (err error) {
	for i := range c.written {
		c.vec = append(c.vec, c.written[i].p)
	}
	if c.clear {
		_, err = c.sc.WriteV(c.vec)
	} else {
		all := net.Buffers(c.vec)
		_, err = all.WriteTo(struct{ io.Writer }{c.nc})
	}
	clear(c.vec)
	c.vec = c.vec[:0]
	return err
}

// drop frees what was written.
func (c *conn) drop() {
	for i := range c.written {
		if w := &c.written[i]; w.own {
			mcache.Free(w.p)
		}
		c.written[i] = piece{}
	}
	c.written = c.written[:0]
}

// limitWrite sets the deadline of the write that follows.
func (c *conn) limitWrite() {
	if c.patient > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(c.patient))
	}
}
