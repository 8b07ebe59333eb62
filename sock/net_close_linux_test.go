//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Close ends a Read that waits, and one that is in line behind it; the peer reads the
// end.
func TestNetCloseDuringRead(t *testing.T) {
	eachSubject(t, func(s *subject) {
		first := s.start(func() error { return read(s.c) })
		second := s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("Close", s.act(s.c.Close))
		s.wantIs("Read", first(), net.ErrClosed)
		s.wantIs("Read in line", second(), net.ErrClosed)
		s.must("the peer's end", s.offloaded(func() error {
			if n, err := s.peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				return errors.Join(errors.New("the peer does not read the end"), err)
			}
			return nil
		}))
		// The one difference: a second Close is an error of package net's, and none here.
		if err := s.act(s.c.Close); s.l != nil && err != nil || s.l == nil && !errors.Is(err, net.ErrClosed) {
			s.Errorf("Close again: %v", err)
		}
	})
}

// Close ends a Write that waits, which counts what went out, and one in line.
func TestNetCloseDuringWrite(t *testing.T) {
	eachSubject(t, func(s *subject) {
		first := s.block()
		second := s.start(func() error { return write(s.c) })
		s.pause(time.Millisecond)
		s.must("Close", s.act(s.c.Close))
		n, err := first()
		s.wantIs("Write", err, net.ErrClosed)
		if n == 0 || n == len(flood()) {
			s.Errorf("Write counted %d", n)
		}
		s.wantIs("Write in line", second(), net.ErrClosed)
	})
}

// After Close every call says so, and none waits.
func TestNetAfterClose(t *testing.T) {
	eachSubject(t, func(s *subject) {
		s.sends("unread")
		s.must("Close", s.act(s.c.Close))
		for name, call := range map[string]func() error{
			"Read":             func() error { return read(s.c) },
			"Read of nothing":  func() error { _, err := s.c.Read(nil); return err },
			"Write":            func() error { return write(s.c) },
			"Write of nothing": func() error { _, err := s.c.Write(nil); return err },
			"CloseRead":        s.c.CloseRead,
			"CloseWrite":       s.c.CloseWrite,
			"SetNoDelay":       func() error { return s.c.SetNoDelay(true) },
			"SetLinger":        func() error { return s.c.SetLinger(0) },
		} {
			s.wantIs(name, s.waits(call), net.ErrClosed)
		}
		for name, call := range map[string]func() error{ // whose errors don't name both ends in package net
			"SetReadBuffer":    func() error { return s.c.SetReadBuffer(10_000) },
			"SetDeadline":      func() error { return s.c.SetDeadline(time.Time{}) },
			"SetReadDeadline":  func() error { return s.c.SetReadDeadline(time.Time{}) },
			"SetWriteDeadline": func() error { return s.c.SetWriteDeadline(time.Time{}) },
		} {
			if err := s.act(call); !errors.Is(err, net.ErrClosed) {
				s.Errorf("%s: %v, want net.ErrClosed", name, err)
			}
		}
		if s.c.LocalAddr().String() != s.peer.RemoteAddr().String() ||
			s.c.RemoteAddr().String() != s.peer.LocalAddr().String() {
			s.Errorf("after Close it is %v to %v", s.c.LocalAddr(), s.c.RemoteAddr())
		}
	})
}

// A close with linger 0 resets.
func TestNetLingerZero(t *testing.T) {
	eachSubject(t, func(s *subject) {
		s.must("SetLinger", s.act(func() error { return s.c.SetLinger(0) }))
		s.must("Close", s.waits(s.c.Close))
		err := s.offloaded(func() error { _, err := s.peer.Read(make([]byte, 1)); return err })
		if !errors.Is(err, syscall.ECONNRESET) {
			s.Errorf("the peer reads %v, want ECONNRESET", err)
		}
	})
}

// Close of a listener ends Accepts that wait, whoever waits and whoever closes.
func TestNetCloseDuringAccept(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, waiter, actor byEach) {
			onLoop(t, cfg, func(l *ringo.Loop) {
				ln := listen(t, l)
				accept := func() error {
					c, err := ln.Accept()
					if err == nil {
						c.Close()
					}
					return err
				}
				first, second := bare(waiter, l, accept), bare(waiter, l, accept)
				l.Sleep(time.Millisecond)
				if err := bare(actor, l, ln.Close)(); err != nil {
					t.Errorf("Close: %v", err)
				}
				for _, err := range []error{first(), second(), bare(waiter, l, accept)()} {
					var op *net.OpError
					if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "accept" ||
						op.Addr.String() != ln.Addr().String() {
						t.Errorf("Accept: %v, want net.ErrClosed of accept and the address", err)
					}
				}
				_, err := sock.Dial(l, "tcp", ln.Addr().String())
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("Dial after Close: %v, want ECONNREFUSED", err)
				}
			})
		})
	})
}
