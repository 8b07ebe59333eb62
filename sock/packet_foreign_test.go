package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

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
	cfg.Grace = time.Millisecond
	go func() {
		done <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			if l == l.Loops()[0] {
				c, err := sock.ListenPacket(l, network, address)
				if err != nil {
					close(conns)
					return err
				}
				conns <- c
			}
			l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
			return nil
		})
	}()
	c := <-conns
	stop := sync.OnceFunc(func() {
		cancel()
		within(patience, t.Name()+": the end", func() {
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

// packetCallers run a function as a task of the socket's loop, of another, and as a
// goroutine.
func packetCallers(c *sock.PacketConn) map[string]func(f func()) {
	on := func(l *ringo.Loop) func(f func()) { return func(f func()) { l.Go(f).Wait() } }
	m := map[string]func(f func()){"goroutine": func(f func()) { f() }}
	for _, l := range c.Loop().Loops() {
		if l == c.Loop() {
			m["task"] = on(l)
		} else {
			m["visitor"] = on(l)
		}
	}
	return m
}

// Each kind of caller echoes, reading as one kind and writing as another.
func TestPacketCrosswise(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		s := servePacket(t, cfg, "udp", "127.0.0.1:0")
		peer := dialUDP(t, s.LocalAddr().String())
		defer peer.Close()
		for in, read := range packetCallers(s.PacketConn) {
			for out, write := range packetCallers(s.PacketConn) {
				t.Run(in+" reads, "+out+" writes", func(t *testing.T) {
					p, got := make([]byte, 1000), make([]byte, 1000)
					for i := range 50 {
						pattern(p, i)
						sent := make(chan bool)
						read(func() {
							go func() {
								defer close(sent)
								if i%2 == 0 { // else the reader is there first, now and then
									time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
								}
								peer.Write(p)
							}()
							n, from, err := s.ReadFromUDPAddrPort(got)
							if err != nil || n != len(p) || mismatch(got[:n], i) >= 0 || from != portOf(peer) {
								t.Errorf("ReadFromUDPAddrPort = %d, %v, %v", n, from, err)
							}
						})
						<-sent
						write(func() {
							if n, err := s.WriteTo(p, peer.LocalAddr()); n != len(p) || err != nil {
								t.Errorf("WriteTo = %d, %v", n, err)
							}
						})
						if n, err := peer.Read(got); err != nil || n != len(p) || mismatch(got[:n], i) >= 0 {
							t.Fatalf("the peer read %d, %v", n, err)
						}
					}
				})
			}
		}
	})
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
			if i%500 == 0 { // a bounded queue holds that many
				eventually(t, "the readers", func() bool { return sum.Load() == int32(i+1) })
			}
		}
		eventually(t, "all datagrams", func() bool { return sum.Load() == datagrams })
		s.Close()
		within(patience, t.Name(), all.Wait)
		for i := range count {
			if n := count[i].Load(); n != 1 {
				t.Fatalf("datagram %d came %d times", i, n)
			}
		}
	})
}
