//go:build linux

package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Reads and writes of nothing give nothing at once, whatever is there.
func TestNetZeroLength(t *testing.T) {
	eachSubject(t, func(s *subject) {
		none := func(when string) {
			s.Helper()
			for _, p := range [][]byte{nil, {}} {
				s.must(when+": Read of nothing", s.waits(func() error {
					n, err := s.c.Read(p)
					return errors.Join(err, zero(n))
				}))
				s.must(when+": Write of nothing", s.waits(func() error {
					n, err := s.c.Write(p)
					return errors.Join(err, zero(n))
				}))
			}
		}
		none("with nothing there")
		s.sends("x")
		none("with a byte there")
		s.reads("the byte", "x")
		s.must("the peer's end", s.peer.CloseWrite())
		if err := s.waits(func() error { return read(s.c) }); err != io.EOF {
			s.Errorf("Read at the end: %v", err)
		}
		none("at the end")
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(longAgo) }))
		s.wantDeadline("Read at the end when its time is over", s.waits(func() error { return read(s.c) }))
	})
}

func zero(n int) error {
	if n != 0 {
		return fmt.Errorf("%d bytes", n)
	}
	return nil
}

// Each half closes alone. The end is io.EOF, bare, again and again.
func TestNetHalfClose(t *testing.T) {
	eachSubject(t, func(s *subject) {
		end := func() {
			s.Helper()
			for range 2 {
				if err := s.waits(func() error { return read(s.c) }); err != io.EOF {
					s.Errorf("Read at the end: %v, want io.EOF itself", err)
				}
			}
		}
		s.must("Write", s.waits(func() error { return write(s.c) }))
		s.must("CloseWrite", s.act(s.c.CloseWrite))
		s.must("what the peer reads", s.offloaded(func() error {
			if all, err := io.ReadAll(s.peer); err != nil || string(all) != "x" {
				return fmt.Errorf("the peer reads %q, %v", all, err)
			}
			return nil
		}))
		s.wantIs("Write after CloseWrite", s.waits(func() error { return write(s.c) }), syscall.EPIPE)
		s.sends("still")
		s.reads("after CloseWrite", "still")
		s.must("the peer's end", s.peer.CloseWrite())
		end()
	})
	eachSubject(t, func(s *subject) {
		reading := s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("CloseRead", s.act(s.c.CloseRead))
		if err := reading(); err != io.EOF {
			s.Errorf("Read under CloseRead: %v, want io.EOF itself", err)
		}
		s.must("Write after CloseRead", s.waits(func() error { return write(s.c) }))
	})
}

// What a peer that goes leaves: the end is no reset, a reset is no end, bytes come
// first, and a write finds out.
func TestNetPeerGoes(t *testing.T) {
	for name, c := range map[string]struct {
		go_   func(peer *net.TCPConn)
		read  error
		write error // what writes come to
	}{
		"closed": {func(peer *net.TCPConn) { peer.Close() }, io.EOF, nil},
		"reset":  {reset, syscall.ECONNRESET, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			eachSubject(t, func(s *subject) {
				waiting := s.start(func() error { return read(s.c) })
				s.pause(time.Millisecond)
				c.go_(s.peer)
				err := waiting()
				if !errors.Is(err, c.read) || (err == io.EOF) != (c.read == io.EOF) {
					s.Errorf("Read: %v, want %v", err, c.read)
				}
				if c.write != nil {
					s.wantIs("Write", s.waits(func() error { return write(s.c) }), c.write)
					return
				}
				// The peer has closed its socket: the first write is answered by a reset.
				err = s.waits(func() error {
					for {
						if err := write(s.c); err != nil {
							return err
						}
					}
				})
				if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					s.Errorf("Write: %v, want EPIPE or ECONNRESET", err)
				}
			})
		})
	}
}

// A write that waits hears of a reset.
func TestNetResetDuringWrite(t *testing.T) {
	eachSubject(t, func(s *subject) {
		writing := s.block()
		reset(s.peer)
		n, err := writing()
		s.wantIs("Write", err, syscall.ECONNRESET)
		if n == 0 {
			s.Error("Write counted nothing")
		}
	})
}

// What goes wrong looks as in package net also to goroutines: TestConnErrorsAsNet is the
// same for tasks.
func TestConnErrorsAsNetFromGoroutines(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range connErrors {
			t.Run(c.name, func(t *testing.T) {
				want := shape(netConnError(t, c.do))
				pair(t, cfg, func(l *ringo.Loop, conn *sock.Conn, peer *net.TCPConn) {
					err := bare(callers[1], l, func() error { return c.do(conn, peer) })()
					if op, ok := err.(*net.OpError); ok && strings.Contains(c.name, "deadline after close") {
						op.Source = nil // which package net leaves out just here
					}
					if shape(err) != want {
						t.Errorf("\n got %s (%v)\nwant %s", shape(err), err, want)
					}
				})
			})
		}
	})
}

// Options reach the socket, whoever sets them.
func TestNetOptions(t *testing.T) {
	eachSubject(t, func(s *subject) {
		option := func(level, name, want int) {
			s.Helper()
			if got, err := syscall.GetsockoptInt(fdOf(s.T, s.c), level, name); got != want || err != nil {
				s.Errorf("option %d of level %d is %d, %v, want %d", name, level, got, err, want)
			}
		}
		option(syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9)
		s.must("SetKeepAliveConfig", s.act(func() error {
			return s.c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second,
				Interval: 2500 * time.Millisecond, Count: 4})
		}))
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 7)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 3)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4)
		s.must("SetKeepAliveConfig", s.act(func() error { return s.c.SetKeepAliveConfig(net.KeepAliveConfig{}) }))
		option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0)
		s.must("SetNoDelay", s.act(func() error { return s.c.SetNoDelay(false) }))
		option(syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0)
		s.must("SetReadBuffer", s.act(func() error { return s.c.SetReadBuffer(20_000) }))
		option(syscall.SOL_SOCKET, syscall.SO_RCVBUF, 40_000) // the kernel doubles it
	})
}
