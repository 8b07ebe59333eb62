package echo

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/event"
	"ringo/sock"
)

// echoer is the state of one run of ringo echo.
type echoer struct {
	*server.Server
	kind    string // of handler
	request *sock.Handler
}

func newEchoer(s *server.Server, kind string) *echoer {
	e := &echoer{Server: s, kind: kind, request: &sock.Handler{Request: echoRequest}}
	if s.Options.Stats > 0 {
		e.request.Open = func(*sock.Conn) error { s.Conns.Add(1); return nil }
		e.request.Closed = func(*sock.Conn, error) { s.Conns.Add(-1) }
	}
	s.Streams, s.Datagrams = e.serveStreams, e.serveDatagrams
	return e
}

// serveStreams serves the connections of one listener, by the handler of -handler.
func (e *echoer) serveStreams(l *ringo.Loop, ln *sock.Listener) error {
	switch e.kind {
	case perConn:
		return e.serveConns(l, ln)
	case perGoroutine:
		return l.Offload(func(ctx context.Context) error { return e.serveGoroutines(ctx, ln) })
	case perEvent:
		return e.serveEvents(l, ln)
	}
	return sock.Serve(l, ln, e.request)
}

// serveEvents serves all connections by callbacks of package event.
func (e *echoer) serveEvents(l *ringo.Loop, ln *sock.Listener) error {
	loop, end := event.On(l), error(nil)
	loop.Accept(ln, events{conns: &e.Conns}).OnClose(func(err error) {
		if !errors.Is(err, net.ErrClosed) { // the drain closes the listener
			end = err
			loop.Stop()
		}
	})
	return cmp.Or(loop.Wait(), end)
}

// echoRequest writes what has arrived, straight from the receive buffers.
func echoRequest(c *sock.Conn) error {
	for c.Buffered() > 0 {
		b, err := c.Next()
		if err != nil {
			return err
		}
		if _, err = c.WriteLease(b); err != nil {
			return err
		}
	}
	return nil
}

// serveConns starts a task per connection.
func (e *echoer) serveConns(l *ringo.Loop, ln *sock.Listener) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() { e.echoConn(c) })
	}
}

// serveGoroutines starts a goroutine per connection. In a drain it waits for them; when the grace is over the loop
// closes the connections that are still open, which ends the others.
func (e *echoer) serveGoroutines(ctx context.Context, ln *sock.Listener) error {
	var conns sync.WaitGroup
	for {
		c, err := ln.AcceptConn()
		switch {
		case err != nil && !errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			ended := make(chan bool)
			go func() { conns.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-ctx.Done():
			}
			return err
		}
		conns.Go(func() { e.echoGoroutine(c) })
	}
}

// echoGoroutine is echoConn on a goroutine, with a buffer of its own.
func (e *echoer) echoGoroutine(c *sock.Conn) {
	if e.Options.Stats > 0 {
		e.Conns.Add(1)
		defer e.Conns.Add(-1)
	}
	defer c.Close()
	p := make([]byte, 16384)
	for {
		n, err := c.Read(p)
		if n > 0 {
			if _, err := c.Write(p[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (e *echoer) echoConn(c *sock.Conn) {
	if e.Options.Stats > 0 {
		e.countConn(c)
		return
	}
	defer c.Close()
	io.Copy(c, c) // the peer is the cause of its error
}

// countConn is echoConn that counts the connection. It is a function of its own, not inlined, so that echoConn needs
// less stack: BenchmarkIdleMemory of sock shows what that saves.
//
//go:noinline
func (e *echoer) countConn(c *sock.Conn) {
	e.Conns.Add(1)
	defer e.Conns.Add(-1)
	defer c.Close()
	io.Copy(c, c)
}
