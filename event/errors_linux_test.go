//go:build linux

package event_test

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/patience"
	"ringo/sock"
)

// An error names the network and both addresses as package net does, of connections that were accepted, dialled and
// adopted.
func TestErrorsAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			t.Run(network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network != "tcp" {
					address = filepath.Join(t.TempDir(), "socket")
				}
				n := 0
				var ln *event.Listener
				check := func(c *event.Conn) {
					if n++; n == 4 {
						ln.Close()
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
					var e *net.OpError
					if err := c.Write([]byte("x")); !errors.As(err, &e) || e.Net != network || e.Source == nil ||
						e.Addr == nil || e.Source.String() != c.LocalAddr().String() ||
						e.Addr.String() != c.RemoteAddr().String() || e.Addr.Network() != network {
						t.Errorf("Write: %v, from %v to %v", err, c.LocalAddr(), c.RemoteAddr())
					}
				}
				onLoop(t, cfg, func(l *event.Loop) {
					var err error
					if ln, err = l.Listen(network, address, &funcs{open: check}); err != nil {
						t.Fatal(err)
					}
					l.Dial(network, ln.Addr().String(), &funcs{open: check})
					c, err := sock.Dial(l.Ringo(), network, ln.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := l.Adopt(c, &funcs{open: check}); err != nil {
						t.Fatal(err)
					}
				})
				if n != 4 {
					t.Errorf("%d connections were looked at, want 4", n)
				}
			})
		}
	})
}

// Why a connection ended names its addresses, too, although the kernel forgets that of a peer that has reset it.
func TestResetNamesAddresses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why error
		var source, addr net.Addr
		h := &funcs{
			open:  func(c *event.Conn) { source, addr = c.LocalAddr(), c.RemoteAddr() },
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error { return peer.SetLinger(0) })
		var e *net.OpError
		if !errors.As(why, &e) || !errors.Is(why, syscall.ECONNRESET) || e.Net != "tcp" || e.Source == nil ||
			e.Addr == nil || e.Source.String() != source.String() || e.Addr.String() != addr.String() {
			t.Errorf("closed with %v, from %v to %v", why, source, addr)
		}
	})
}

// What a write to a UDP socket that closes says names its addresses as package net does.
func TestPacketErrorsAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *event.Loop) {
			var told *net.OpError
			closed := ringo.NewChan[bool](1)
			l.DialPacket("udp", "127.0.0.1:9", &packets{open: func(c *event.PacketConn) {
				c.Close()
				if err := c.Write([]byte("x")); !errors.As(err, &told) || !errors.Is(err, net.ErrClosed) ||
					told.Source == nil || told.Addr == nil || told.Addr.String() != "127.0.0.1:9" {
					t.Errorf("Write: %v", err)
				}
				closed.TrySend(true)
			}})
			if _, err := closed.RecvContext(patience.Context(t)); err != nil {
				t.Error(err)
			}
		})
	})
}

// Packages sock and event have one value for one error.
func TestErrorsOfSock(t *testing.T) {
	for _, same := range [][2]error{{event.ErrUnread, sock.ErrUnread}, {event.ErrLeases, sock.ErrLeases},
		{event.ErrNoReturn, sock.ErrNoReturn}} {
		if same[0] != same[1] {
			t.Errorf("%v is not %v", same[0], same[1])
		}
	}
}
