package sock_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// listenPacket makes a socket on a port of its own.
func listenPacket(t testing.TB, l *ringo.Loop, network, address string) *sock.PacketConn {
	t.Helper()
	c, err := sock.ListenPacket(l, network, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// onPacket runs body as a task that has a socket and a peer that is connected to it, a
// socket of package net. Both are closed behind it.
func onPacket(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		c := listenPacket(t, l, "udp", "127.0.0.1:0")
		defer c.Close()
		peer := dialUDP(t, c.LocalAddr().String())
		defer peer.Close()
		body(l, c, peer)
	})
}

func dialUDP(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	peer, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	peer.SetDeadline(time.Now().Add(patience))
	return peer.(*net.UDPConn)
}

// portOf is the address of a UDP socket of package net.
func portOf(c interface{ LocalAddr() net.Addr }) netip.AddrPort {
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Datagrams come and go in order, empty ones too, one at a time and many at once.
func TestPacketEcho(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
			echo := l.Go(func() {
				p := make([]byte, 2048)
				for {
					n, from, err := c.ReadFromUDPAddrPort(p)
					if err != nil {
						wantClosed(t, "ReadFromUDPAddrPort", err)
						return
					}
					if from != portOf(peer) {
						t.Errorf("from %v, want %v", from, portOf(peer))
					}
					if n, err := c.WriteToUDPAddrPort(p[:n], from); err != nil {
						t.Errorf("WriteToUDPAddrPort = %d, %v", n, err)
					}
				}
			})
			offloaded(t, l, func() error {
				got := make([]byte, 2048)
				for round := range 200 {
					burst := 1 + round%10
					for i := range burst {
						p := make([]byte, (round*10+i)%1500)
						pattern(p, i)
						if _, err := peer.Write(p); err != nil {
							return err
						}
					}
					for i := range burst {
						n, err := peer.Read(got)
						if err != nil {
							return err
						}
						if want := (round*10 + i) % 1500; n != want || mismatch(got[:n], i) >= 0 {
							t.Errorf("round %d: datagram %d has %d bytes, want %d; first wrong at %d", round, i, n,
								want, mismatch(got[:n], i))
						}
					}
				}
				return nil
			})
			c.Close()
			echo.Wait()
		})
	})
}

// packetsForAll is forAll of sockets of datagrams. Those that need an argument fail
// for the lack of it.
var packetsForAll = []string{"Loop", "LocalAddr", "RemoteAddr", "Close", "SyscallConn", "SetUnlinkOnClose", "GSO",
	"Read", "ReadBatch", "WriteSegments", "SetControl", "WriteTo", "WriteToUDP", "WriteToUDPAddrPort",
	"WriteMsgUDP", "WriteMsgUDPAddrPort", "WriteToUnix", "WriteMsgUnix", "WriteBatch", "JoinGroup", "LeaveGroup"}

// A socket that outlives its Run is of no use, and does no harm, and a Run closes what
// was left open on it.
func TestPacketUseAfterRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, closes := range []bool{true, false} {
			var c *sock.PacketConn
			var u *sock.UnixPacketConn
			onLoop(t, cfg, func(l *ringo.Loop) {
				c = listenPacket(t, l, "udp", "127.0.0.1:0")
				var err error
				if u, err = sock.ListenUnixgram(l, ""); err != nil {
					t.Fatal(err)
				}
				if closes {
					c.Close()
					u.Close()
				}
			})
			for _, err := range []error{net.ErrClosed, ringo.ErrEnded} {
				wantRefused(t, c, err)
				wantRefused(t, u, err)
				_, got := c.Read(make([]byte, 1))
				wantIs(t, "Read", got, err)
				_, got = c.ReadBatch([]sock.Message{{}})
				wantIs(t, "ReadBatch", got, err)
				_, got = c.WriteTo(nil, c.LocalAddr())
				wantIs(t, "WriteTo", got, err)
				_, got = c.WriteBatch([]sock.Message{{Addr: portOf(c)}})
				wantIs(t, "WriteBatch", got, err)
				wantIs(t, "SetControl", c.SetControl(sock.ControlTTL, true), err)
			}
			again, err := net.ListenPacket("udp", c.LocalAddr().String())
			if err != nil {
				t.Fatalf("the address is not free: %v", err)
			}
			again.Close()
		}
	})
}

func wantIs(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A socket that is idle, or is gone, has no memory of the loop's, and one that is not
// read holds up no other.
func TestPacketsShareTheMemory(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
			other := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer other.Close()
			lost := listenPacket(t, l, "udp", "127.0.0.1:0")
			p := make([]byte, 100)
			const rows = 10
			for _, to := range []*sock.PacketConn{lost, other, c} {
				for i := range rows {
					p[0] = byte(i)
					if _, err := c.WriteTo(p[:1+i], to.LocalAddr()); err != nil {
						t.Fatal(err)
					}
				}
			}
			lost.Read(p)
			lost.Close() // with the others fetched
			for i := range rows {
				for _, from := range []*sock.PacketConn{c, other} { // each takes the memory from the other
					if n, err := from.Read(p); n != 1+i || p[0] != byte(i) || err != nil {
						t.Errorf("datagram %d: %d bytes, %v", i, n, err)
					}
				}
			}
		})
	})
}
