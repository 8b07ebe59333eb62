package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
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
	peer.SetDeadline(patience.Deadline())
	return peer.(*net.UDPConn)
}

// portOf is the address of a UDP socket of package net.
func portOf(c interface{ LocalAddr() net.Addr }) netip.AddrPort {
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
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

// packetServer is a Run with a UDP socket on its first loop, until stop.
type packetServer struct {
	*sock.PacketConn
	stop func()
}

// servePacket starts one. The loops live until stop, or the end of the test.
func servePacket(t testing.TB, cfg ringo.Config, network, address string) *packetServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conns, done := make(chan *sock.PacketConn, 1), make(chan error, 1)
	go func() {
		done <- socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
			if l == l.Loops()[0] {
				c, err := sock.ListenPacket(l, network, address)
				if err != nil {
					close(conns)
					return err
				}
				conns <- c
			}
			l.Draining().Recv()
			return nil
		})
	}()
	c := <-conns
	stop := sync.OnceFunc(func() {
		cancel()
		patience.Within(t.Name()+": the end", func() {
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	})
	t.Cleanup(stop)
	if c == nil {
		stop()
		t.FailNow()
	}
	return &packetServer{c, stop}
}

// Tasks of the loop, tasks of another and goroutines read one socket, in all orders:
// each datagram comes once, whatever is cancelled or timed out.
func TestPacketReadersOfAllKinds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		const datagrams = 3000
		s := servePacket(t, cfg, "udp", "127.0.0.1:0")
		if err := s.SetReadBuffer(8 << 20); err != nil {
			t.Fatal(err)
		}
		peer := dialUDP(t, s.LocalAddr().String())
		defer peer.Close()
		var count [datagrams]atomic.Int32
		var sum atomic.Int32
		var over atomic.Bool
		step := func() {
			if rand.IntN(4) == 0 {
				s.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond))
			}
			var p [8]byte
			n, _, err := s.ReadFromUDPAddrPort(p[:])
			switch {
			case err == nil:
				if i := binary.BigEndian.Uint32(p[:]); n != 4 || i >= datagrams {
					t.Errorf("%d bytes of datagram %d", n, i)
				} else {
					count[i].Add(1)
				}
				sum.Add(1)
			case errors.Is(err, os.ErrDeadlineExceeded):
				s.SetReadDeadline(never)
			case errors.Is(err, net.ErrClosed):
				over.Store(true)
			case !errors.Is(err, context.Canceled):
				t.Error(err)
			}
		}
		var all sync.WaitGroup
		for _, l := range s.Loop().Loops() {
			all.Go(func() {
				for !over.Load() {
					task := l.Go(step)
					if rand.IntN(3) == 0 {
						task.Cancel()
					}
					task.Wait()
				}
			})
		}
		for range 2 {
			all.Go(func() {
				for !over.Load() {
					step()
				}
			})
		}
		var p [4]byte
		for i := range uint32(datagrams) {
			binary.BigEndian.PutUint32(p[:], i)
			if _, err := peer.Write(p[:]); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 { // a queue holds that many, however small the system has it, if nobody reads
				eventually(t, "the readers", func() bool { return sum.Load() == int32(i+1) })
			}
		}
		eventually(t, "all datagrams", func() bool { return sum.Load() == datagrams })
		s.Close()
		patience.Within(t.Name(), all.Wait)
		for i := range count {
			if n := count[i].Load(); n != 1 {
				t.Fatalf("datagram %d came %d times", i, n)
			}
		}
	})
}
