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

// conn is a connection as fasthttp, handlers and hooks see it, with its state for the drain. Only its loop uses since
// and over.
type conn struct {
	idler
	of     *serving
	since  time.Time // when it came to rest; zero while a request is under way
	over   bool      // its task has panicked or was cancelled
	closed atomic.Bool
}

// idler is a connection that a drain ends if it is idle.
type idler interface {
	net.Conn
	SetIdle(idle bool) error
}

// served is a conn, with the further methods of the listener's own connection.
type served interface {
	net.Conn
	base() *conn
}

// secure are the methods that fasthttp looks for in TLS connections.
type secure interface {
	Handshake() error
	ConnectionState() tls.ConnectionState
}

// newConn wraps the listener's connection. It counts as open until its Close.
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
	case io.ReaderFrom: // sends files without a copy
		return &struct {
			*conn
			io.ReaderFrom
		}{c, of}
	}
	return c
}

func (c *conn) base() *conn { return c }

// NetConn returns the connection that the listener accepted. Close the conn and not this one: Serve waits until the
// conn is closed.
func (c *conn) NetConn() net.Conn { return c.idler }

// Read returns net.ErrClosed when Grace is over, so that fasthttp ends silently: it answers and logs other errors.
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

// Write fails once Read has failed so: after a 100-continue fasthttp answers whatever the error of Read was.
func (c *conn) Write(p []byte) (int, error) {
	if c.over {
		return 0, net.ErrClosed
	}
	return c.idler.Write(p)
}

// Close closes the connection. A hijack handler calls it on its own goroutine.
func (c *conn) Close() error {
	err := c.idler.Close()
	if !c.closed.Swap(true) {
		c.of.open.Done()
	}
	return err
}

// busy marks the connection as used. It ignores SetIdle's error: a connection that has ended fails at its next use.
func (c *conn) busy() {
	c.since = time.Time{}
	c.SetIdle(false)
}

func (c *conn) rests() {
	if c.since = c.of.l.Now(); c.of.late {
		c.SetIdle(true)
	}
}
