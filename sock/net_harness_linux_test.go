//go:build linux

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
	"ringo/sock"
)

// A subject is a connection that must behave as those of package net do, and its peer.
// Two callers use it, of the same kind or not: a waiter, whose calls may wait, and an
// actor, who does something meanwhile. One subject is package net's own, so that these
// tests say what it does.
type subject struct {
	*testing.T
	c    conn
	peer *net.TCPConn
	l    *ringo.Loop // nil: of package net

	start     func(fn func() error) (end func() error) // by the waiter
	act       func(fn func() error) error              // by the actor
	offloaded func(fn func() error) error              // by a goroutine of the peer's
}

// eachSubject runs f with each kind of connection and of caller.
func eachSubject(t *testing.T, f func(s *subject)) {
	t.Run("net", func(t *testing.T) {
		within(patience, t.Name(), func() {
			c, peer := stdPair(t)
			now := func(fn func() error) error { return fn() }
			f(&subject{T: t, c: c, peer: peer, act: now, offloaded: now, start: func(fn func() error) func() error {
				end := make(chan error, 1)
				go func() { end <- fn() }()
				return func() error { return <-end }
			}})
		})
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, waiter, actor byEach) {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
				f(&subject{T: t, c: c, peer: peer, l: l,
					start: func(fn func() error) func() error { return bare(waiter, l, fn) },
					act:   func(fn func() error) error { return bare(actor, l, fn)() },
					offloaded: func(fn func() error) error {
						return l.Offload(func(context.Context) error { return fn() })
					},
				})
			})
		})
	})
}

// bare is run of a kind of caller, and gives fn's error as it is.
func bare(who byEach, l *ringo.Loop, fn func() error) (end func() error) {
	var err error
	wait := who.run(l, func() error { err = fn(); return nil })
	return func() error {
		if failed := wait(); failed != nil {
			return failed
		}
		return err
	}
}

// stdPair is both ends of a connection of package net.
func stdPair(t *testing.T) (c, peer *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer = dial(t, ln.Addr().String())
	t.Cleanup(func() { peer.Close() })
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return accepted.(*net.TCPConn), peer
}

// waits is start, and the end at once.
func (s *subject) waits(fn func() error) error { return s.start(fn)() }

// pause gives a waiter time to come to its wait. The tests hold if it does not.
func (s *subject) pause(d time.Duration) {
	if s.l != nil {
		s.l.Sleep(d)
	} else {
		time.Sleep(d)
	}
}

// must fails the test on an error.
func (s *subject) must(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// wantIs wants an error of the connection with an error in it.
func (s *subject) wantIs(what string, err, target error) {
	s.Helper()
	var op *net.OpError
	if !errors.Is(err, target) || !errors.As(err, &op) || op.Net != "tcp" || op.Source == nil || op.Addr == nil {
		s.Errorf("%s: %v, want a *net.OpError with %v", what, err, target)
	}
}

// wantDeadline wants the error of a deadline that has passed.
func (s *subject) wantDeadline(what string, err error) {
	s.Helper()
	s.wantIs(what, err, os.ErrDeadlineExceeded)
	if e, ok := err.(net.Error); !ok || !e.Timeout() || !e.Temporary() {
		s.Errorf("%s: %v, want one that is Timeout and Temporary", what, err)
	}
}

// reads wants the waiter to read text.
func (s *subject) reads(what, text string) {
	s.Helper()
	b := make([]byte, len(text)+10)
	n := 0
	err := s.waits(func() (err error) { n, err = s.c.Read(b); return err })
	if err != nil || string(b[:n]) != text {
		s.Errorf("%s: read %q, %v, want %q", what, b[:n], err, text)
	}
}

// sends has the peer write text.
func (s *subject) sends(text string) {
	s.Helper()
	_, err := s.peer.Write([]byte(text))
	s.must("the peer's write", err)
}

// flood is more than the buffers of two sockets take.
var flood = sync.OnceValue(func() []byte { return make([]byte, 32<<20) })

// block has the waiter write until it has to wait, and go on: end gives the count too.
func (s *subject) block() (end func() (int, error)) {
	n := 0
	flood() // not in a task
	ended := s.start(func() (err error) { n, err = s.c.Write(flood()); return err })
	s.must("the peer's read of the first byte", s.offloaded(func() error {
		_, err := s.peer.Read(make([]byte, 1))
		return err
	}))
	return func() (int, error) {
		err := ended()
		return n, err
	}
}
