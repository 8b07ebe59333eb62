package sock_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// conn is what is common to both kinds of connection.
type conn interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetReadBuffer(int) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
}

var _ conn = (*sock.Conn)(nil)

// connErrors are situations of a connection. None of them waits for its loop.
var connErrors = []struct {
	name string
	do   func(c conn, peer tcpPeer) error
}{
	{"read at the end", func(c conn, peer tcpPeer) error { peer.CloseWrite(); return read(c) }},
	{"read after close", func(c conn, _ tcpPeer) error { c.Close(); return read(c) }},
	{"write after close", func(c conn, _ tcpPeer) error { c.Close(); return write(c) }},
	{"empty read after close", func(c conn, _ tcpPeer) error { c.Close(); _, err := c.Read(nil); return err }},
	{"empty write after close", func(c conn, _ tcpPeer) error { c.Close(); _, err := c.Write(nil); return err }},
	{"close write after close", func(c conn, _ tcpPeer) error { c.Close(); return c.CloseWrite() }},
	{"close read after close", func(c conn, _ tcpPeer) error { c.Close(); return c.CloseRead() }},
	{"deadline after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetDeadline(time.Time{}) }},
	{"read deadline after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetReadDeadline(time.Time{})
	}},
	{"write deadline after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetWriteDeadline(time.Time{})
	}},
	{"option after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetNoDelay(true) }},
	{"linger after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetLinger(1) }},
	{"keep-alive after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
	}},
	{"read past its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Unix(1, 0))
		return read(c)
	}},
	{"empty read past its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Unix(1, 0))
		_, err := c.Read(nil)
		return err
	}},
	{"read of bytes past its deadline", func(c conn, peer tcpPeer) error {
		peer.Write([]byte("x"))
		c.SetReadDeadline(time.Unix(1, 0))
		return read(c)
	}},
	{"read at its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		return read(c)
	}},
	{"write past its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Unix(1, 0))
		return write(c)
	}},
	{"empty write past its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Unix(1, 0))
		_, err := c.Write(nil)
		return err
	}},
	{"write at its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}},
	{"write after close write", func(c conn, _ tcpPeer) error { c.CloseWrite(); return write(c) }},
	{"close write twice", func(c conn, _ tcpPeer) error { c.CloseWrite(); return c.CloseWrite() }},
	{"close write of a reset connection", func(c conn, peer tcpPeer) error {
		reset(peer)
		read(c)
		return c.CloseWrite()
	}},
	{"bad buffer size", func(c conn, _ tcpPeer) error { return c.SetReadBuffer(-1) }},
	{"read from a peer that reset", func(c conn, peer tcpPeer) error { reset(peer); return read(c) }},
	{"write to a peer that reset", func(c conn, peer tcpPeer) error {
		reset(peer)
		read(c)
		return write(c)
	}},
}

// What goes wrong on a connection looks as it does in package net.
func TestConnErrorsAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range connErrors {
			t.Run(c.name, func(t *testing.T) {
				want := shape(netConnError(t, c.do))
				pair(t, cfg, func(l *ringo.Loop, conn *sock.Conn, peer tcpPeer) {
					err := c.do(conn, peer)
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

func netConnError(t *testing.T, do func(c conn, peer tcpPeer) error) error {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer := dial(t, ln.Addr().String())
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return do(c.(*net.TCPConn), peer)
}

// Bytes that came before a reset are read before it.
func TestBytesBeforeReset(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "last words")
			if _, err := c.Peek(10); err != nil {
				t.Fatal(err)
			}
			reset(peer)
			l.Sleep(2 * time.Millisecond)
			wantAll(t, c, "last words")
			if err := read(c); !errors.Is(err, posix.ECONNRESET) {
				t.Errorf("Read: %v, want ECONNRESET", err)
			}
		})
	})
}

// endErrors are situations of listening and dialling. busy is an address where
// somebody listens, free one where nobody does.
var endErrors = []struct {
	name   string
	listen func(listen func(network, address string) error, busy, free string) error
}{
	{"in use", func(f func(_, _ string) error, busy, _ string) error { return f("tcp", busy) }},
	{"no port", func(f func(_, _ string) error, _, _ string) error { return f("tcp", "127.0.0.1") }},
	{"nonsense", func(f func(_, _ string) error, _, _ string) error { return f("tcp", "::1:1:x:[") }},
	{"port too high", func(f func(_, _ string) error, _, _ string) error { return f("tcp", "127.0.0.1:65536") }},
	{"negative port", func(f func(_, _ string) error, _, _ string) error { return f("tcp", "127.0.0.1:-1") }},
	{"unknown service", func(f func(_, _ string) error, _, _ string) error {
		return f("tcp", "127.0.0.1:no-such-service")
	}},
	{"network udp", func(f func(_, _ string) error, _, _ string) error { return f("foo", "127.0.0.1:0") }},
	{"no network", func(f func(_, _ string) error, _, _ string) error { return f("", "127.0.0.1:0") }},
	{"v6 address for tcp4", func(f func(_, _ string) error, _, _ string) error { return f("tcp4", "[::1]:0") }},
	{"v4 address for tcp6", func(f func(_, _ string) error, _, _ string) error { return f("tcp6", "127.0.0.1:0") }},
}

func TestListenErrorsAsNet(t *testing.T) {
	busyLn, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busyLn.Close()
	busy := busyLn.Addr().String()
	cases := append(endErrors[:len(endErrors):len(endErrors)], struct {
		name   string
		listen func(func(network, address string) error, string, string) error
	}{"an address that isn't ours", func(f func(_, _ string) error, _, _ string) error {
		return f("tcp", "192.0.2.1:0")
	}})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, c := range cases {
				want := c.listen(func(network, address string) error {
					ln, err := net.Listen(network, address)
					if err == nil {
						ln.Close()
					}
					return err
				}, busy, "")
				got := c.listen(func(network, address string) error {
					ln, err := sock.Listen(l, network, address)
					if err == nil {
						ln.Close()
					}
					return err
				}, busy, "")
				compare(t, "Listen: "+c.name, got, want)
				got = c.listen(func(network, address string) error {
					set, err := sock.Reserve(network, address)
					if err == nil {
						set.Close()
					}
					return err
				}, busy, "")
				compare(t, "Reserve: "+c.name, got, want)
			}
		})
	})
}

func compare(t *testing.T, what string, got, want error) {
	t.Helper()
	if want == nil {
		t.Fatalf("%s: package net has no error", what)
	}
	if shape(got) != shape(want) {
		t.Errorf("%s:\n got %s (%v)\nwant %s (%v)", what, shape(got), got, shape(want), want)
	}
}

func TestDialErrorsAsNet(t *testing.T) {
	free := freeAddr(t)
	cases := append(endErrors[1:len(endErrors):len(endErrors)], struct {
		name   string
		listen func(func(network, address string) error, string, string) error
	}{"refused", func(f func(_, _ string) error, _, free string) error { return f("tcp", free) }},
		struct {
			name   string
			listen func(func(network, address string) error, string, string) error
		}{"nothing", func(f func(_, _ string) error, _, _ string) error { return f("tcp", "") }})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, c := range cases {
				want := c.listen(func(network, address string) error {
					conn, err := net.DialTimeout(network, address, patience.Max)
					if err == nil {
						conn.Close()
					}
					return err
				}, "", free)
				got := c.listen(func(network, address string) error {
					conn, err := sock.Dial(l, network, address)
					if err == nil {
						conn.Close()
					}
					return err
				}, "", free)
				compare(t, "Dial: "+c.name, got, want)
				if c.name == "nothing" && got.Error() != want.Error() {
					t.Errorf("Dial: %v, want %v", got, want)
				}
			}
		})
	})
}

// netDialTooLate is what package net says to a dial in no time. With 1 ns it may get
// through, and of a name it says one of two things, of which we take the one that
// comes first.
func netDialTooLate(t *testing.T, address string) error {
	t.Helper()
	for range 10_000 {
		c, err := (&net.Dialer{Timeout: -1}).Dial("tcp", address)
		if err == nil {
			c.Close()
			continue
		}
		if dns := (*net.DNSError)(nil); !strings.HasPrefix(address, "localhost") || errors.As(err, &dns) {
			return err
		}
	}
	t.Fatalf("package net dials %s in no time", address)
	return nil
}

// A dial that has no time fails as net's does, though somebody listens.
func TestDialTooLateAsNet(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, address := range []string{ln.Addr().String(), "localhost:" + port, "", "127.0.0.1"} {
				want := netDialTooLate(t, address)
				for _, timeout := range []time.Duration{1, -1, -time.Hour} {
					_, got := (&sock.Dialer{Timeout: timeout}).Dial(l, "tcp", address)
					compare(t, fmt.Sprintf("Dial(%q) within %v", address, timeout), got, want)
					if got != nil && got.Error() != want.Error() {
						t.Errorf("Dial(%q) within %v: %v, want %v", address, timeout, got, want)
					}
				}
			}
		})
	})
}

func TestAcceptErrorsAsNet(t *testing.T) {
	std, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	std.Close()
	_, want := std.Accept()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			ln.Close()
			_, got := ln.Accept()
			compare(t, "Accept after Close", got, want)

			ln = listen(t, l)
			l.AfterFunc(time.Millisecond, func() { ln.Close() })
			_, got = ln.Accept()
			compare(t, "Accept while closed", got, want)
		})
	})
}
