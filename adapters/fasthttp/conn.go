package ringofasthttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// conn is a connection as fasthttp, handlers and hooks have it, and what a drain knows of it. NetConn returns the
// listener's own. since and over are its loop's alone.
type conn struct {
	idler
	of     *serving
	since  time.Time // when it came to rest; zero while it is asked something
	over   bool      // what serves it has panicked, or was cancelled
	closed atomic.Bool
}

// idler is a connection that ends by itself in a drain, if it is idle.
type idler interface {
	net.Conn
	SetIdle(idle bool) error
}

// served is a conn with what the listener's own connection has besides.
type served interface {
	net.Conn
	base() *conn
}

// secure is what fasthttp looks for in connections of TLS.
type secure interface {
	Handshake() error
	ConnectionState() tls.ConnectionState
}

// newConn makes the conn of a connection, which counts as open until its Close.
func (s *serving) newConn(of idler) served {
	c := &conn{idler: of, of: s}
	s.conns[c] = struct{}{}
	s.open.Add(1)
	switch of := of.(type) {
	case secure:
		return &struct {
			*conn
			secure
		}{c, of}
	case io.ReaderFrom: // which sends files without a copy
		return &struct {
			*conn
			io.ReaderFrom
		}{c, of}
	}
	return c
}

func (c *conn) base() *conn { return c }

// NetConn returns the connection that the listener has accepted. To close that one keeps Serve from its end.
func (c *conn) NetConn() net.Conn { return c.idler }

// Read has fasthttp end in silence at the end of Grace: for other errors it has an answer, and a line in the log.
func (c *conn) Read(p []byte) (int, error) {
	if c.over {
		return 0, net.ErrClosed
	}
	n, err := c.idler.Read(p)
	if errors.Is(err, context.Canceled) {
		c.over = true
		err = fmt.Errorf("%w: %w", net.ErrClosed, err)
	}
	return n, err
}

// Write fails where Read has: behind 100-continue fasthttp answers whatever the error was.
func (c *conn) Write(p []byte) (int, error) {
	if c.over {
		return 0, net.ErrClosed
	}
	return c.idler.Write(p)
}

// Close closes the connection, also for a hijack handler, on its goroutine.
func (c *conn) Close() error {
	err := c.idler.Close()
	if !c.closed.Swap(true) {
		c.of.open.Done()
	}
	return err
}

// busy does not ask for SetIdle's error: a connection that has ended says so when it is used.
func (c *conn) busy() {
	c.since = time.Time{}
	c.SetIdle(false)
}

func (c *conn) rests() {
	if c.since = c.of.l.Now(); c.of.late {
		c.SetIdle(true)
	}
}
