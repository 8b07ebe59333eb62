package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/sock"
)

// server is a run of ringo echo.
type server struct {
	o      *echoOptions
	sets   []*sock.ListenerSet
	stderr io.Writer

	handler *sock.Handler
	ready   atomic.Int32 // loops that listen
	conns   atomic.Int64 // kept with -stats only
	quit    chan struct{}
	side    sync.WaitGroup // what writes to stderr
}

func newServer(o *echoOptions, sets []*sock.ListenerSet, stderr io.Writer) *server {
	s := &server{o: o, sets: sets, stderr: stderr, quit: make(chan struct{})}
	s.handler = &sock.Handler{Request: echoRequest}
	if o.stats > 0 {
		s.handler.Open = func(*sock.Conn) error { s.conns.Add(1); return nil }
		s.handler.Closed = func(*sock.Conn, error) { s.conns.Add(-1) }
	}
	return s
}

// serve is what each loop does.
func (s *server) serve(l *ringo.Loop) error {
	var listeners []*sock.Listener
	for _, set := range s.sets {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		listeners = append(listeners, ln)
	}
	if loops := l.Loops(); int(s.ready.Add(1)) == len(loops) {
		s.side.Go(func() { s.tell(loops) })
	}
	g := ringo.NewGroup(l)
	for _, ln := range listeners {
		g.Go(func() error {
			switch s.o.handler {
			case perConn:
				return s.serveConns(l, ln)
			case perGoroutine:
				return l.Offload(func(ctx context.Context) error { return s.serveGoroutines(ctx, ln) })
			}
			return sock.Serve(l, ln, s.handler)
		})
	}
	return g.Wait()
}

// echoRequest writes what has come back from the buffers it came in.
func echoRequest(c *sock.Conn) error {
	for c.Buffered() > 0 {
		b, err := c.Next()
		if err != nil {
			return err
		}
		_, err = c.Write(b.Bytes())
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// serveConns gives each connection a task for life.
func (s *server) serveConns(l *ringo.Loop, ln *sock.Listener) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() { s.echoConn(c) })
	}
}

// serveGoroutines gives each connection a goroutine for life. Those that don't end by
// themselves are ended when the drain is over, by the loop, which closes what is open.
func (s *server) serveGoroutines(ctx context.Context, ln *sock.Listener) error {
	var conns sync.WaitGroup
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			ended := make(chan bool)
			go func() { conns.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-ctx.Done():
			}
			return err
		}
		conns.Go(func() { s.echoGoroutine(c) })
	}
}

// echoGoroutine is echoConn with memory of its own for what comes.
func (s *server) echoGoroutine(c *sock.Conn) {
	if s.o.stats > 0 {
		s.conns.Add(1)
		defer s.conns.Add(-1)
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

func (s *server) echoConn(c *sock.Conn) {
	if s.o.stats > 0 {
		s.countConn(c)
		return
	}
	defer c.Close()
	io.Copy(c, c) // its error is the peer's business
}

// countConn is echoConn with a count of the connections.
//
//go:noinline
func (s *server) countConn(c *sock.Conn) {
	s.conns.Add(1)
	defer s.conns.Add(-1)
	defer c.Close()
	io.Copy(c, c)
}

// tell says where all loops listen now, then prints the counters. Writing may wait,
// so it runs on an ordinary goroutine.
func (s *server) tell(loops []*ringo.Loop) {
	names, reasons := drivers(loops)
	var text strings.Builder
	for i, set := range s.sets {
		fmt.Fprintf(&text, "listening %s://%v driver=%s loops=%d\n", s.o.listen[i].network, set.Addr(), names, len(loops))
	}
	for _, reason := range reasons {
		fmt.Fprintln(&text, reason)
	}
	io.WriteString(s.stderr, text.String())
	if s.o.stats > 0 {
		s.printStats(loops)
	}
}

// stop ends what runs beside the loops.
func (s *server) stop() {
	close(s.quit)
	s.side.Wait()
}

// drivers names the loops' driver, or drivers, for auto chooses for each loop, and
// says why it is not uring.
func drivers(loops []*ringo.Loop) (names string, reasons []string) {
	var all []string
	for _, l := range loops {
		info := l.Info()
		if !slices.Contains(all, info.Name) {
			all = append(all, info.Name)
		}
		reason := fmt.Sprintf("driver %s: %s", info.Name, strings.Replace(info.Reason, "Config.Driver", "-driver", 1))
		if info.Name != open.Uring && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(all, "+"), reasons
}
