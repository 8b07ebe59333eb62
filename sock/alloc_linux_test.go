//go:build linux

package sock_test

import (
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// wantAllocs fails the test if a round allocates more than want; a hundredth is
// the noise of the runtime.
func wantAllocs(t *testing.T, what string, want float64, rounds int, step func()) {
	t.Helper()
	got := alloctest.Least(rounds, want+0.01, step)
	t.Logf("%s: %.4f allocations a round", what, got)
	if got > want+0.01 {
		t.Errorf("%s: %.4f allocations a round, want %v", what, got, want)
	}
}

// steady are servers that answer as many bytes as they get, each in its way.
var steady = map[string]func(*ringo.Loop, *sock.Listener) error{
	"Read and Write": func(l *ringo.Loop, ln *sock.Listener) error {
		p := make([]byte, 1<<20)
		return perConn(func(c *sock.Conn) {
			for {
				n, err := c.Read(p)
				if err != nil {
					return
				}
				c.Write(p[:n])
			}
		})(l, ln)
	},
	"deadlines": func(l *ringo.Loop, ln *sock.Listener) error {
		p := make([]byte, 1<<20)
		return perConn(func(c *sock.Conn) {
			for {
				c.SetReadDeadline(l.Now().Add(time.Minute))
				c.SetWriteDeadline(time.Now().Add(time.Hour))
				n, err := c.Read(p)
				if err != nil {
					return
				}
				c.SetDeadline(time.Time{})
				c.Write(p[:n])
			}
		})(l, ln)
	},
	"a little and the rest": func(l *ringo.Loop, ln *sock.Listener) error {
		p := make([]byte, 1<<20)
		return perConn(func(c *sock.Conn) {
			for {
				n, err := c.Read(p)
				if err != nil {
					return
				}
				c.Write(p[:1])
				c.Write(p[1:n])
			}
		})(l, ln)
	},
	"Next and Release": echoes["Next"],
	"ReadV and WriteV": func(l *ringo.Loop, ln *sock.Listener) error {
		p := make([]byte, 1<<20)
		return perConn(func(c *sock.Conn) {
			bufs, answer := make([][]byte, 12), make([][]byte, 0, 12)
			for {
				for i := range bufs {
					bufs[i] = p[i*8192:][:[]int{1, 20, 0, 8192}[i%4]]
				}
				n, err := c.ReadV(bufs)
				if err != nil {
					return
				}
				answer = answer[:0]
				for _, b := range bufs {
					k := min(int(n), len(b))
					answer = append(answer, b[:k])
					n -= int64(k)
				}
				c.WriteV(answer)
			}
		})(l, ln)
	},
	"Next and WriteLease": perConn(func(c *sock.Conn) {
		for {
			lease, err := c.Next()
			if err != nil {
				return
			}
			c.WriteLease(lease)
		}
	}),
	"Peek and Discard": perConn(func(c *sock.Conn) {
		for {
			if _, err := c.Peek(1); err != nil {
				return
			}
			n := c.Buffered()
			p, _ := c.Peek(n)
			c.Write(p)
			c.Discard(n)
		}
	}),
	"io.Copy":  echoes["io.Copy"],
	"requests": echoes["requests"],
	"requests with a deadline": perRequest(&sock.Handler{
		Open: func(c *sock.Conn) error { return c.SetReadDeadline(c.Loop().Now().Add(time.Minute)) },
		Request: func(c *sock.Conn) error {
			n := c.Buffered()
			p, err := c.Peek(n)
			if err != nil {
				return err
			}
			_, err = c.Write(p)
			c.Discard(n)
			c.SetReadDeadline(c.Loop().Now().Add(time.Minute))
			return err
		},
	}),
}

// A connection at work allocates nothing.
func TestAllocsPerRequest(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range steady {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				c := mustRaw(t, s.addr)
				p := make([]byte, 64)
				wantAllocs(t, "64 bytes", 0, 1000, func() {
					if c.write(p) != nil || c.read(p) != nil {
						t.Fatal("the connection broke")
					}
				})
				p = make([]byte, 40_000)
				wantAllocs(t, "40,000 bytes", 0, 100, func() {
					if c.write(p) != nil || c.read(p) != nil {
						t.Fatal("the connection broke")
					}
				})
			})
		}
	})
}

// A copy in bulk, which goes by pipes, allocates nothing.
func TestAllocsOfSplices(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, echoes["io.Copy"])
		c := mustRaw(t, s.addr)
		p := make([]byte, 200_000)
		step := func() {
			for range 20 {
				if c.write(p) != nil || c.read(p) != nil {
					t.Fatal("the connection broke")
				}
			}
		}
		wantAllocs(t, "4 MB", 0, 10, step)
		patience.UntilBy(t, "a splice", step, func() bool { // which a busy machine has less often
			for _, op := range s.loops[0].Stats().Ops {
				if op.Op == "splice(out)" {
					return true
				}
			}
			return false
		})
	})
}

// Writers that have to wait for their peers allocate nothing either.
func TestAllocsOfParkedWrites(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		big := make([]byte, 24<<20) // more than the kernel holds
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			p := make([]byte, 1)
			for {
				if _, err := c.Read(p); err != nil {
					return
				}
				if _, err := c.Write(big); err != nil {
					return
				}
			}
		}))
		c := mustRaw(t, s.addr)
		p := make([]byte, 1<<20)
		wantAllocs(t, "24 MiB to a slow peer", 0, 6, func() {
			if c.write(p[:1]) != nil {
				t.Fatal("the connection broke")
			}
			for range 24 {
				if c.read(p) != nil {
					t.Fatal("the connection broke")
				}
			}
		})
		const rounds = 4 * 6
		if ops := s.stats().Driver.Submitted; ops < rounds/4 { // the peer is faster than the writer now and then
			t.Errorf("%d ops in %d rounds: the test did not test", ops, rounds)
		}
	})
}

// A connection that is accepted, served and closed costs one allocation: its Conn.
func TestAllocsPerConnection(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		p := make([]byte, 64)
		for name, fn := range map[string]func(*ringo.Loop, *sock.Listener) error{
			"requests": echoes["requests"],
			"Serve, closed by the handler": perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
				n := c.Buffered()
				b, err := c.Peek(n)
				if err != nil {
					return err
				}
				c.Write(b)
				return io.ErrClosedPipe
			}}),
		} {
			t.Run(name, func(t *testing.T) {
				connectionAllocs(t, serve(t, cfg, fn).addr, p)
			})
		}
		t.Run("ListenAndServe", func(t *testing.T) {
			addr := freeAddr(t)
			stop := listenAndServe(t, cfg, addr, func(c *sock.Conn) {
				for {
					lease, err := c.Next()
					if err != nil {
						return
					}
					c.Write(lease.Bytes())
					lease.Release()
				}
			})
			defer stop()
			connectionAllocs(t, addr, p)
		})
	})
}

// connectionAllocs counts what a connection with one request allocates.
func connectionAllocs(t *testing.T, addr string, p []byte) {
	t.Helper()
	ap := netip.MustParseAddrPort(addr)
	sa := &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	wantAllocs(t, "a connection", 1, 500, func() {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
		c := raw{fd}
		if c.write(p) != nil || c.read(p) != nil {
			t.Fatal("the connection broke")
		}
		syscall.Shutdown(fd, syscall.SHUT_WR) // a reset would be an error, which costs more
		if err := c.atEnd(); err != nil {
			t.Fatal(err)
		}
		c.close()
	})
}

// A goroutine's calls allocate nothing, waiting or not.
func TestForeignAllocations(t *testing.T) {
	skipAllocs(t)
	const rounds = 200
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			c, peer := next()
			defer peer.Close()
			defer c.Close()
			p, q := make([]byte, 64), make([]byte, 64)
			soon := patience.Deadline()
			fail := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			wantAllocs(t, "Write, and Read of what is there", 0, rounds, func() {
				_, err := c.Write(p)
				fail(err)
				_, err = peer.Read(q)
				fail(err)
				_, err = peer.Write(p)
				fail(err)
				_, err = c.Read(p)
				fail(err)
			})
			wantAllocs(t, "deadlines", 0, rounds, func() {
				fail(c.SetReadDeadline(soon))
				fail(c.SetWriteDeadline(soon))
				fail(c.SetDeadline(soon))
			})
			go func() { // echoes
				p := make([]byte, 64)
				for {
					n, err := peer.Read(p)
					if err != nil {
						return
					}
					peer.Write(p[:n])
				}
			}()
			wantAllocs(t, "Read that waits", 0, rounds, func() {
				_, err := c.Write(p)
				fail(err)
				_, err = c.Read(p)
				fail(err)
			})
		})
	})
}

// steadyPackets are the ways to echo that allocate nothing.
var steadyPackets = map[string]func(c *sock.PacketConn){
	"AddrPort": func(c *sock.PacketConn) {
		p := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(p)
			if err != nil {
				return
			}
			c.WriteToUDPAddrPort(p[:n], from)
		}
	},
	"messages with control": func(c *sock.PacketConn) {
		c.SetControl(sock.ControlLocal|sock.ControlTOS, true)
		p, oob := make([]byte, 2048), make([]byte, sock.ControlMax)
		for {
			n, oobn, _, from, err := c.ReadMsgUDPAddrPort(p, oob)
			if err != nil {
				return
			}
			control := sock.ParseControl(oob[:oobn])
			c.WriteMsgUDPAddrPort(p[:n], control.Append(oob[:0], from.Addr()), from)
		}
	},
	"batches": func(c *sock.PacketConn) {
		ms := make([]sock.Message, 16)
		room := make([][]byte, len(ms))
		for i := range ms {
			room[i] = make([]byte, 2048)
			ms[i].Buffers = [][]byte{room[i]}
		}
		for {
			n, err := c.ReadBatch(ms)
			if err != nil {
				return
			}
			for i := range n {
				ms[i].Buffers[0] = room[i][:ms[i].N]
			}
			c.WriteBatch(ms[:n])
			for i := range n {
				ms[i].Buffers[0] = room[i]
			}
		}
	},
	"GRO and segments": func(c *sock.PacketConn) {
		c.SetGRO(true)
		p := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(p)
			if err != nil {
				return
			}
			c.WriteSegments(p[:n], 25, from)
		}
	},
}

// A socket at work in tasks allocates nothing.
func TestPacketAllocs(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range steadyPackets {
			t.Run(name, func(t *testing.T) {
				s := servePacket(t, cfg, "udp", "127.0.0.1:0")
				task := s.Loop().Go(func() { fn(s.PacketConn) })
				peer := dialUDP(t, s.LocalAddr().String())
				defer peer.Close()
				p, got := make([]byte, 64), make([]byte, 64)
				wantAllocs(t, "four datagrams", 0, 300, func() {
					for range 4 {
						if _, err := peer.Write(p); err != nil {
							t.Fatal(err)
						}
					}
					for n := 0; n < 4*len(p); {
						k, err := peer.Read(got)
						if err != nil {
							t.Fatal(err)
						}
						n += k
					}
				})
				s.Close()
				task.Wait()
			})
		}
	})
}
