package sock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/socktest"
	"ringo/sock"
)

// What package file's tests use, too.
const patience = socktest.Patience

var (
	eachDriver   = socktest.EachDriver
	available    = socktest.Available
	onLoop       = socktest.OnLoop
	settle       = socktest.Settle
	within       = socktest.Within
	pause        = socktest.Pause
	others       = socktest.Others
	offloaded    = socktest.Offloaded
	eventually   = socktest.Eventually
	eventuallyOn = socktest.EventuallyOn
	inIterator   = socktest.InIterator
	byteAt       = socktest.ByteAt
	pattern      = socktest.Pattern
	mismatch     = socktest.Mismatch
)

// needNumbers skips a test that needs more descriptors than the driver can watch.
func needNumbers(t testing.TB, n int) {
	t.Helper()
	if os.Getenv("RINGO_DRIVER") == "select" && n > 1000 {
		t.Skipf("select watches descriptors below 1024 only, this needs %d", n)
	}
}

// pair runs body as a task that has one accepted connection and its peer, a
// connection of package net. Both are closed behind it.
func pair(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		c, peer := connect(t, l)
		defer peer.Close()
		defer c.Close()
		body(l, c, peer)
	})
}

// connect makes a connection to this loop, and its peer.
func connect(t *testing.T, l *ringo.Loop) (*sock.Conn, *net.TCPConn) {
	t.Helper()
	ln := listen(t, l)
	defer ln.Close()
	return accept(t, ln)
}

// listen makes a listener on a port of its own.
func listen(t *testing.T, l *ringo.Loop) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// accept dials a listener from outside, and takes the connection.
func accept(t *testing.T, ln *sock.Listener) (*sock.Conn, *net.TCPConn) {
	t.Helper()
	peer := dial(t, ln.Addr().String())
	c, err := ln.AcceptConn()
	if err != nil {
		peer.Close()
		t.Fatal(err)
	}
	return c, peer
}

// dial connects as package net does, with a deadline for all that follows. The
// kernel queues the connection, so a task may call it too.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	peer, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	peer.SetDeadline(time.Now().Add(patience))
	return peer.(*net.TCPConn)
}

// A server is loops that serve one address until stop.
type server struct {
	t      testing.TB
	addr   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error

	mu    sync.Mutex
	loops []*ringo.Loop
}

// serve starts a server: fn runs once per loop, with its listener. It is stopped
// with the test at the latest, and then nothing may be left of it.
func serve(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop, ln *sock.Listener) error) *server {
	t.Helper()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{t: t, addr: set.Addr().String(), cancel: cancel, done: make(chan struct{})}
	started := make(chan bool, cfg.Loops)
	go func() {
		defer close(s.done)
		defer set.Close()
		s.err = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			s.mu.Lock()
			s.loops = append(s.loops, l)
			s.mu.Unlock()
			started <- true
			if err := fn(l, ln); err != nil && !errors.Is(err, net.ErrClosed) {
				return err
			}
			ln.Close()
			settle(t, l)
			return nil
		})
	}()
	t.Cleanup(s.stop)
	for range cfg.Loops {
		select {
		case <-started:
		case <-s.done:
		}
	}
	return s
}

// perConn makes the fn of a server that gives each connection a task.
func perConn(handle func(c *sock.Conn)) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	}
}

// perRequest makes the fn of a server that serves a Handler.
func perRequest(h *sock.Handler) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error { return sock.Serve(l, ln, h) }
}

// stop ends the server, which must be orderly.
func (s *server) stop() {
	s.t.Helper()
	s.cancel()
	within(patience, s.t.Name()+": the server's end", func() { <-s.done })
	if s.err != nil && !s.t.Failed() {
		s.t.Errorf("the server ended with %v", s.err)
	}
	s.err = nil
}

// dial connects to the server; the connection is closed with the test.
func (s *server) dial() *net.TCPConn {
	s.t.Helper()
	c := dial(s.t, s.addr)
	s.t.Cleanup(func() { c.Close() })
	return c
}

// stats adds up the counters of the server's loops.
func (s *server) stats() (sum ringo.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		one := l.Stats()
		sum.Turns += one.Turns
		sum.Parks += one.Parks
		sum.Tasks += one.Tasks
		sum.Workers += one.Workers
		sum.Slots += one.Slots
		sum.Buffers += one.Buffers
		sum.Backoffs += one.Backoffs
		sum.Driver.Enters += one.Driver.Enters
		sum.Driver.Submitted += one.Driver.Submitted
		sum.Driver.Queued += one.Driver.Queued
		sum.Driver.Overflows += one.Driver.Overflows
		sum.Driver.NoBuffers += one.Driver.NoBuffers
	}
	return sum
}
