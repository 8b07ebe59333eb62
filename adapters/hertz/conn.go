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

// A conn is a connection as hertz uses it: input.go has its Reader, output.go its Writer. One caller at a time reads,
// and one writes.
type conn struct {
	sc *sock.Conn
	nc net.Conn // sc, or TLS over it

	clear  bool // no TLS
	leases bool // received bytes are used in the loop's buffers: in tasks, without TLS

	// For the input.
	unread  []byte    // bytes received and not read, in at; own memory has free room behind them
	at      segment   // the memory of unread, and of bytes that were peeked at before
	spent   []segment // read completely and not freed yet: slices of them may be in use
	between bool      // it waits for a request, of which no byte has come
	linger  time.Duration
	limit   time.Duration // of SetReadTimeout, while unset
	unset   bool          // the read deadline has yet to be set from limit
	limited bool          // a read deadline is set

	// For the output.
	written []piece
	vec     [][]byte      // the arguments of Flush's WriteV
	patient time.Duration // of SetWriteTimeout
	flushed atomic.Bool   // a Flush came after the last receive, which a watch may do beside the handler
}

// newConn makes the conn for a connection that waits for its first request.
func (t *transporter) newConn(sc *sock.Conn) *conn {
	c := &conn{sc: sc, nc: sc, clear: true, leases: t.cfg.Tasks, between: true, linger: t.cfg.Linger}
	c.SetReadTimeout(t.opt.ReadTimeout)
	c.SetWriteTimeout(t.opt.WriteTimeout)
	return c
}

// end closes the connection when hertz is done with it, and frees its memory.
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

// SetReadTimeout bounds the reads that follow, from the first that has to wait: hertz calls it twice for a request,
// and waits after one of the two. Once everything was answered and read, a call means that hertz now waits for the
// next request. A call with 0 does not: an IdleTimeout is never 0, and hijack handlers begin with such a call.
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

// ToHertzError returns hertz's error for one of package net.
func (c *conn) ToHertzError(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, net.ErrClosed) {
		return errs.ErrConnectionClosed
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return errs.ErrTimeout
	}
	return err
}

// HandleSpecificError reports whether hertz may ignore an error, because it only means that the peer has left.
func (c *conn) HandleSpecificError(err error, rip string) (needIgnore bool) {
	for _, of := range []error{syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed} {
		if errors.Is(err, of) {
			hlog.SystemLogger().Debugf("Ringo error=%s, remoteAddr=%s", err.Error(), rip)
			return true
		}
	}
	return false
}

// Write sends p after what was written before.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.Flush(); err != nil {
		return 0, err
	}
	c.limitWrite()
	return c.nc.Write(p)
}

// ReadFrom sends the content of r after what was written before: by sendfile(2) if r is a file and there is no TLS.
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
