package ringohertz

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	errs "github.com/cloudwego/hertz/pkg/common/errors"
	"github.com/cloudwego/hertz/pkg/common/hlog"

	"ringo/sock"
)

// A conn is a connection as hertz knows one: input.go has its Reader, output.go its Writer. One caller at a time reads,
// and one writes.
type conn struct {
	sc *sock.Conn
	nc net.Conn // sc, or TLS over it

	clear  bool // no TLS
	leases bool // what arrives is used in the loop's buffers: in tasks, and in the clear

	// Of the input.
	unread  []byte    // the bytes in hand, in at; in memory of its own the room behind them is free
	at      segment   // where they are, and those peeked at before
	spent   []segment // used up, and not given back yet: slices of them may be in use
	between bool      // it waits for a request, of which there is nothing yet
	linger  time.Duration
	limit   time.Duration // what SetReadTimeout said, while unset
	unset   bool          // the deadline is still to be set from the limit
	limited bool          // the connection has a deadline to read

	// Of the output.
	written []piece
	vec     [][]byte      // of Flush
	patient time.Duration // what SetWriteTimeout said
	flushed atomic.Bool   // since something was received, which a watch does beside the handler
}

// newConn makes a connection that waits for its first request.
func (t *transporter) newConn(sc *sock.Conn) *conn {
	c := &conn{sc: sc, nc: sc, clear: true, leases: t.cfg.Tasks, between: true, linger: t.cfg.Linger}
	c.SetReadTimeout(t.opt.ReadTimeout)
	c.SetWriteTimeout(t.opt.WriteTimeout)
	return c
}

// end closes the connection when hertz is done with it, and gives its memory back.
func (c *conn) end() {
	c.nc.Close()
	c.unread = nil
	c.Release()
	c.drop()
}

func (c *conn) Close() error         { return c.nc.Close() }
func (c *conn) LocalAddr() net.Addr  { return c.nc.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.unset, c.limited = false, !t.IsZero()
	return c.nc.SetReadDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.patient = 0
	return c.nc.SetWriteDeadline(t)
}

// SetReadTimeout bounds what follows, from the first wait on; hertz calls it twice a request, of which one waits. With
// everything answered it is how hertz begins to wait for the next request, but for 0: no IdleTimeout is, and what has
// taken a connection over begins so.
func (c *conn) SetReadTimeout(d time.Duration) error {
	c.limit, c.unset = d, true
	if d != 0 && c.flushed.Load() && len(c.unread) == 0 {
		c.between = true
	}
	return nil
}

func (c *conn) SetWriteTimeout(d time.Duration) error {
	if d <= 0 && c.patient > 0 {
		c.patient = 0
		return c.nc.SetWriteDeadline(time.Time{})
	}
	c.patient = max(d, 0)
	return nil
}

// ToHertzError says in hertz's words what package net's mean.
func (c *conn) ToHertzError(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, net.ErrClosed) {
		return errs.ErrConnectionClosed
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return errs.ErrTimeout
	}
	return err
}

// HandleSpecificError says of which errors hertz need not tell: peers may leave.
func (c *conn) HandleSpecificError(err error, rip string) (needIgnore bool) {
	for _, of := range []error{syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed} {
		if errors.Is(err, of) {
			hlog.SystemLogger().Debugf("Ringo error=%s, remoteAddr=%s", err.Error(), rip)
			return true
		}
	}
	return false
}

// Write sends p behind what is written.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.Flush(); err != nil {
		return 0, err
	}
	c.limitWrite()
	return c.nc.Write(p)
}

// ReadFrom sends what r has, behind what is written: by sendfile(2) if it is a file and the connection is in the clear.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if err := c.Flush(); err != nil {
		return 0, err
	}
	c.limitWrite()
	if to, ok := c.nc.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.nc}, r)
}
