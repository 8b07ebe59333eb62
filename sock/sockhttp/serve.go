package sockhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"ringo/internal/loop"
)

// serveConn serves a connection for life, on a goroutine or in a task of its loop.
func (s *Server) serveConn(c *conn) {
	nc := c.net()
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithCancel(c.ctx)
	c.cancel = cancel
	s.keep(c, true)
	if s.closed.Load() { // before it was noted
		nc.Close()
	}
	defer func() {
		s.keep(c, false)
		if !c.left {
			nc.Close()
		}
		c.closed()
	}()
	defer c.logPanic() // of a callback of TLS
	if c.remote == "" {
		c.remote = nc.RemoteAddr().String()
	}
	if !c.lasts() {
		c.setIdle(true) // a drain waits for peers that have connected, as for those in the clear
	}
	if err := c.handshake(); err != nil {
		return
	}
	if c.tls != nil && c.tls.NegotiatedProtocol == "h2" {
		if c.speaks2() {
			c.setIdle(false)
			c.speakHTTP2()
		}
		return
	}
	c.limitHead()
	for {
		if err := c.answer(); err != nil {
			return
		}
		if err := c.more(); err != nil {
			if c.scanned > 0 || c.c.Buffered() > 0 {
				c.refuse(nil, err)
			}
			return
		}
	}
}

// more waits for more of a head. Between two requests a drain ends the wait.
func (c *conn) more() error {
	n := c.c.Buffered()
	switch {
	case n > 0:
	case c.lasts():
		c.restUntilDrain()
		defer delete(c.resting, c)
	default:
		c.setIdle(true)
		defer c.setIdle(false)
	}
	_, err := c.c.Peek(n + 1)
	if err == nil && n == 0 {
		c.limitHead()
	}
	return err
}

// restUntilDrain makes a drain let the connection linger. The connection is not marked idle: a TLS connection can't go
// on after a read that the drain has ended.
func (c *conn) restUntilDrain() {
	if (*loop.Loop)(c.loop).Draining() {
		c.linger()
		return
	}
	if c.resting == nil {
		c.resting = map[*conn]bool{}
	}
	c.resting[c] = true
}

// setIdle tells a connection of this module whether a drain may end it.
func (c *conn) setIdle(on bool) {
	if i, ok := c.net().(interface{ SetIdle(bool) error }); ok {
		i.SetIdle(on)
	}
}

// handshake does the TLS handshake, if there is TLS.
func (c *conn) handshake() error {
	nc := c.net()
	h, ok := nc.(interface {
		HandshakeContext(context.Context) error
		ConnectionState() tls.ConnectionState
	})
	if !ok {
		if t, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
			state := t.ConnectionState()
			c.tls = &state
		}
		return nil
	}
	if d := c.s.handshakeTimeout(); d > 0 {
		nc.SetDeadline(time.Now().Add(d))
		defer nc.SetDeadline(time.Time{})
	}
	if c.lasts() {
		c.restUntilDrain()
		defer delete(c.resting, c)
	}
	if err := h.HandshakeContext((*connContext)(c)); err != nil {
		why := err.Error()
		var header tls.RecordHeaderError
		if errors.As(err, &header) && header.Conn != nil && isHTTP(header.RecordHeader) {
			io.WriteString(header.Conn,
				"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
			why = "client sent an HTTP request to an HTTPS server"
		}
		c.logf("http: TLS handshake error from %v: %v", nc.RemoteAddr(), why)
		return err
	}
	state := h.ConnectionState()
	c.tls = &state
	return nil
}

// isHTTP reports whether what came instead of a TLS record is the beginning of a request.
func isHTTP(record [5]byte) bool {
	switch string(record[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

func (s *Server) keep(c *conn, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepLocked(c, on)
}

func (s *Server) keepLocked(c *conn, on bool) {
	if !on {
		delete(s.conns, c)
		return
	}
	if s.conns == nil {
		s.conns = make(map[*conn]bool)
	}
	s.conns[c] = true
}
