//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// Writes of several pieces end in net.ErrClosed, and not in the error of a descriptor that is gone,
// also if the connection ends in the turn in which one piece has gone out whole.
func TestClosedBetweenPieces(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1000)
	writes := map[string]func(l *ringo.Loop, c *sock.Conn) error{
		"WriteV": func(_ *ringo.Loop, c *sock.Conn) error {
			_, err := c.WriteV([][]byte{piece, piece, piece})
			return err
		},
		"SendFile": func(_ *ringo.Loop, c *sock.Conn) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = c.SendFile(piece, f, 0, 1000)
			return err
		},
		"ReadFrom a file": func(_ *ringo.Loop, c *sock.Conn) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = c.ReadFrom(f)
			return err
		},
		"Copy": func(l *ringo.Loop, c *sock.Conn) error { // by splice
			src, peer := connect(t, l)
			defer src.Close()
			defer peer.Close()
			go func() {
				for p := make([]byte, 1<<20); ; {
					if _, err := peer.Write(p); err != nil {
						return
					}
				}
			}()
			_, err := io.Copy(c, src)
			return err
		},
	}
	ends := map[string]func(c *sock.Conn, other *ringo.Loop) error{
		"Close": func(c *sock.Conn, _ *ringo.Loop) error { return c.Close() },
		"Detach": func(c *sock.Conn, _ *ringo.Loop) error {
			n, _, err := c.Detach()
			if err == nil {
				err = syscall.Close(n)
			}
			return err
		},
		"MoveTo": func(c *sock.Conn, other *ringo.Loop) error {
			moved, err := c.MoveTo(other)
			if err == nil {
				err = moved.Close()
			}
			return err
		},
	}
	most := 4
	if testmain.Long() {
		most = 8
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for what, write := range writes {
			onLoop(t, cfg, func(l *ringo.Loop) {
				withLoop(t, l, cfg, func(other *ringo.Loop) {
					for how, end := range ends {
						for turns := range most {
							c, peer := connect(t, l)
							if err := errors.Join(c.SetWriteBuffer(1<<16), peer.SetReadBuffer(1<<16)); err != nil {
								t.Fatal(err)
							}
							room := 50_000 // less than a pipe has
							if what != "Copy" {
								room = fill(t, l, c)
							}
							var err error
							writing := l.Go(func() { err = write(l, c) })
							if what == "Copy" {
								eventuallyOn(t, l, "a full socket", func() bool {
									return queued(t, peer, unix.TIOCINQ) >= room && queued(t, c, unix.TIOCOUTQ) > 0
								})
							}
							for quiet, last := 0, uint64(0); quiet < 10; quiet++ { // until it waits for room
								if pause(l); l.Stats().Parks != last+1 {
									quiet = 0
								}
								last = l.Stats().Parks
							}
							// The loop waits for the peer: what is told of the room comes in the turns that follow.
							if _, err := io.ReadFull(peer, make([]byte, room)); err != nil {
								t.Fatal(err)
							}
							for range turns {
								l.Sleep(0)
							}
							go io.Copy(io.Discard, peer) // Detach waits for what was accepted
							if err := end(c, other); err != nil {
								t.Fatal(err)
							}
							writing.Wait()
							peer.Close()
							if err != nil && !errors.Is(err, net.ErrClosed) || what == "Copy" && err == nil {
								t.Errorf("%s, %s after %d turns: %v", what, how, turns, err)
							}
						}
					}
				})
			})
		}
	})
}

// queued is how many bytes a socket has in a queue of the kernel's.
func queued(t *testing.T, c syscall.Conn, queue uint) (n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if rerr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), queue) }); rerr != nil || err != nil {
		t.Fatal(rerr, err)
	}
	return n
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

// An address of another type is what it is in package net.
func TestPacketWrongAddressAsNet(t *testing.T) {
	addrs := []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unixgram, err := net.ListenPacket("unixgram", abstractName())
	if err != nil {
		t.Fatal(err)
	}
	defer unixgram.Close()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			c := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer c.Close()
			u, err := sock.ListenUnixgram(l, abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			for _, addr := range addrs {
				_, want := udp.WriteTo([]byte("x"), addr)
				_, got := c.WriteTo([]byte("x"), addr)
				compare(t, "udp", got, want)
				_, want = unixgram.WriteTo([]byte("x"), addr)
				_, got = u.WriteTo([]byte("x"), addr)
				compare(t, "unixgram", got, want)
			}
		})
	})
}
