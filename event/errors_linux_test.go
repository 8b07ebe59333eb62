//go:build linux

package event_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
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

// shape is what a *net.OpError says beside why: the addresses as whose they are.
func shape(err error, local, remote net.Addr) string {
	e, ok := err.(*net.OpError)
	if !ok {
		return fmt.Sprintf("%T %v", err, err)
	}
	whose := func(a net.Addr) string {
		switch {
		case a == nil:
			return "none"
		case local != nil && a.String() == local.String() && a.Network() == local.Network():
			return "local"
		case remote != nil && a.String() == remote.String() && a.Network() == remote.Network():
			return "remote"
		}
		return a.Network() + " " + a.String()
	}
	return fmt.Sprintf("%s %s, from %s to %s", e.Op, e.Net, whose(e.Source), whose(e.Addr))
}

// shapesOfNet are those of package net: of a connection that was dialled, of what fails behind CloseWrite, by a
// deadline, and behind Close.
func shapesOfNet(t *testing.T, network, address string) map[string]string {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := c.(interface{ CloseWrite() error })
	local, remote := c.LocalAddr(), c.RemoteAddr()
	c.SetReadDeadline(time.Unix(1, 0))
	_, late := c.Read(make([]byte, 1))
	if err := h.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, half := c.Write([]byte("x"))
	c.Close()
	_, write := c.Write([]byte("x"))
	_, read := c.Read(make([]byte, 1))
	shapes := map[string]string{}
	for what, err := range map[string]error{"timeout": late, "Write, half closed": half, "Write": write,
		"ReadFull": read, "CloseWrite": h.CloseWrite()} {
		shapes[what] = shape(err, local, remote)
	}
	shapes["SendFile"] = shapes["Write"]
	shapes["Detach"] = strings.Replace(shapes["Write"], "write", "detach", 1)
	shapes["WriteThen"], shapes["WriteV"] = shapes["Write"], shapes["Write"]
	return shapes
}

// What fails says what package net says: the operation, the network and both addresses, in OnClose and behind it, too.
// Before OnOpen there are no addresses.
func TestErrorsLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			t.Run(network, func(t *testing.T) {
				address := func() string {
					if network == "tcp" {
						return "127.0.0.1:0"
					}
					return filepath.Join(t.TempDir(), "socket")
				}
				want := shapesOfNet(t, network, address())
				early := strings.NewReplacer("local", "none", "remote", "none")
				var local, remote net.Addr
				check := func(when string, want map[string]string, errs map[string]error) {
					for what, err := range errs {
						if got := shape(err, local, remote); got != want[what] {
							t.Errorf("%s: %s: %s, want %s (%v)", when, what, got, want[what], err)
						}
					}
				}
				calls := func(c *event.Conn) map[string]error {
					return map[string]error{
						"Write":      c.Write([]byte("x")),
						"WriteV":     c.WriteV([]byte("x"), []byte("y")),
						"WriteThen":  c.WriteThen([]byte("x"), func(error) {}),
						"SendFile":   c.SendFile(nil, 0, 1, nil),
						"CloseWrite": c.CloseWrite(),
						"ReadFull":   c.ReadFull(make([]byte, 1), func(int, error) {}),
					}
				}
				onLoop(t, cfg, func(l *event.Loop) {
					ln, err := l.Listen(network, address(), event.Base{})
					if err != nil {
						t.Fatal(err)
					}
					closed := ringo.NewChan[bool](1)
					c := l.Dial(network, ln.Addr().String(), &funcs{
						open: func(c *event.Conn) {
							local, remote = c.LocalAddr(), c.RemoteAddr()
							c.CloseWrite()
							check("half closed", want, map[string]error{"CloseWrite": c.CloseWrite(),
								"Write, half closed": c.Write([]byte("x"))})
							c.SetTimeouts(1, 0)
						},
						close: func(c *event.Conn, err error) {
							check("why", want, map[string]error{"timeout": err})
							check("OnClose", want, calls(c))
							closed.TrySend(true)
						},
					})
					none := map[string]string{}
					for what, s := range want {
						none[what] = early.Replace(s)
					}
					check("before OnOpen", none, calls(c))
					if _, err := closed.RecvContext(patience.Context(t)); err != nil {
						t.Fatal(err)
					}
					_, err = c.Detach()
					check("behind OnClose", want, map[string]error{"Detach": err})
					check("behind OnClose", want, calls(c))
					ln.Close()
				})
			})
		}
	})
}

// A Detach that Abort ends names the addresses of what it was to detach.
func TestAbortedDetachLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var detached, local, remote = error(nil), net.Addr(nil), net.Addr(nil)
		h := &funcs{open: func(c *event.Conn) {
			local, remote = c.LocalAddr(), c.RemoteAddr()
			crowd(t, c)
			c.Loop().Ringo().Go(func() { _, detached = c.Detach() })
			c.Loop().Ringo().Go(c.Abort)
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
		if got, want := shape(detached, local, remote), "detach tcp, from local to remote"; got != want {
			t.Errorf("Detach: %s, want %s (%v)", got, want, detached)
		}
	})
}

// Sockets of datagrams likewise, of each network, connected or not.
func TestPacketErrorsLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"udp", "udp4", "udp6"} {
			at := map[string]string{"udp6": "[::1]:"}[network]
			if at == "" {
				at = "127.0.0.1:"
			}
			far := netip.MustParseAddrPort(at + "9")
			ofNet := func(c net.Conn, err error) (conn, to string) {
				if err != nil {
					t.Skip(network, err)
				}
				c.Close()
				_, err = c.Write([]byte("x"))
				_, errTo := c.(*net.UDPConn).WriteToUDPAddrPort([]byte("x"), far)
				return shape(err, c.LocalAddr(), c.RemoteAddr()), shape(errTo, c.LocalAddr(),
					net.UDPAddrFromAddrPort(far))
			}
			wantDialled, _ := ofNet(net.Dial(network, at+"9"))
			bound, err := net.ListenPacket(network, at+"0")
			if err != nil {
				t.Skip(network, err)
			}
			_, wantBound := ofNet(bound.(*net.UDPConn), nil)
			onLoop(t, cfg, func(l *event.Loop) {
				check := func(what, got, want string) {
					if got != want {
						t.Errorf("%s: %s: %s, want %s", network, what, got, want)
					}
				}
				closing := func(c *event.PacketConn, to netip.AddrPort, want string) {
					write := func() string {
						err := c.Write([]byte("x"))
						if to.IsValid() {
							err = c.WriteTo([]byte("x"), to)
						}
						return shape(err, c.LocalAddr(), net.UDPAddrFromAddrPort(far))
					}
					c.Close()
					check("closing", write(), want)
					c.SetHandler(&packets{close: func(*event.PacketConn, error) { check("OnClose", write(), want) }})
				}
				c := l.DialPacket(network, far.String(), &packets{open: func(c *event.PacketConn) {
					closing(c, netip.AddrPort{}, wantDialled)
				}})
				check("before OnOpen", shape(c.Write([]byte("x")), nil, nil),
					"write "+network+", from none to none")
				c = l.DialPacket(network, far.String(), event.PacketBase{})
				c.Close()
				check("a dial that was closed", shape(c.Write([]byte("x")), nil, nil),
					"write "+network+", from none to none")
				c, err := l.ListenPacket(network, at+"0", event.PacketBase{})
				if err != nil {
					t.Fatal(err)
				}
				closing(c, far, wantBound)
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
