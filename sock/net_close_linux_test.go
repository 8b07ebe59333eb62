//go:build linux

package sock_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

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
