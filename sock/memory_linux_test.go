//go:build linux

package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/stats"
	"ringo/uring"
)

// Crowds that come and go leave what the first left: slots, buffers, coroutines
// and memory are used again.
func TestCrowdsLeaveNothing(t *testing.T) {
	// A pool may grow once more where a busy machine has more of a crowd at work at once; what leaks grows each time.
	const crowd, crowds, times = 500, 6, 4
	testmain.NeedDescriptors(t, 2*crowd+200)
	handlers := map[string]func(*ringo.Loop, *sock.Listener) error{
		"a task each": perConn(func(c *sock.Conn) {
			c.SetDeadline(time.Now().Add(time.Hour)) // which must not keep the connection
			io.Copy(c, c)
		}),
		"a lease held": perConn(func(c *sock.Conn) {
			for {
				lease, err := c.Next()
				if err != nil {
					return
				}
				c.Write(lease.Bytes())
				c.Peek(1)
				lease.Release()
			}
		}),
		"requests": echoes["requests"],
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range handlers {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				p := make([]byte, 100)
				come := func() {
					conns := make([]raw, crowd)
					for i := range conns {
						c, err := rawDial(s.addr)
						if err != nil {
							t.Fatal(err)
						}
						conns[i] = c
					}
					for _, c := range conns {
						if err := c.write(p); err != nil {
							t.Fatal(err)
						}
					}
					for _, c := range conns {
						if err := c.read(p); err != nil {
							t.Fatal(err)
						}
					}
					for i := range conns {
						conns[i].reset()
					}
					eventually(t, "the crowd to leave", func() bool {
						st := s.stats()
						return st.Tasks == 1 && st.Slots <= 1 && st.Buffers == 0
					})
				}
				measure := func() (heap int64, st stats.Loop) {
					runtime.GC()
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc), s.stats()
				}
				come()
				come()
				heap, _ := measure()
				var grown []int64 // KiB
				for range times {
					for range crowds {
						come()
					}
					now, after := measure()
					grown = append(grown, (now-heap)>>10)
					heap = now
					if after.Workers > crowd+10 {
						t.Errorf("%d coroutines after crowds of %d", after.Workers, crowd)
					}
					if grown[len(grown)-1] <= 400 {
						return
					}
				}
				t.Errorf("the heap grew by %d KiB, each by %d crowds", grown, crowds)
			})
		}
	})
}

// A connection fits a size class of the allocator exactly: a word more and each
// takes 64 bytes more.
func TestConnSize(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("sizes are those of 64 bits")
	}
	conn := reflect.TypeFor[sock.Conn]()
	atHand, _ := conn.FieldByName("atHand")
	if size := conn.Size() + atHand.Type.Elem().Size(); size > 512 {
		t.Errorf("a Conn and what is at hand have %d bytes, and the size class before has 512", size)
	}
}

// stackMax is the smallest stack there is, and something for what the test itself adds. A
// frame too many between a program and the wait makes it 4096 at once.
const stackMax = 2048 + 512

// Who waits for bytes, after a few requests, has a stack of the smallest size: that is most of
// what an idle connection costs.
func TestParkedStacks(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector's calls have frames of their own")
	}
	tasks := map[string]func(c *sock.Conn){
		"Next": echoByTask,
		"Read": func(c *sock.Conn) { echoByRead(c) },
		"Copy": func(c *sock.Conn) { io.Copy(c, c) },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range tasks {
			t.Run(name, func(t *testing.T) { parkedStacks(t, serve(t, cfg, perConn(fn))) })
		}
		t.Run("handler", func(t *testing.T) {
			parkedStacks(t, serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						return err
					}
					l.Go(func() { handler(c, [4]int64{}) })
				}
			}))
		})
		t.Run("goroutine", func(t *testing.T) {
			parkedStacks(t, serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
				return l.Offload(func(context.Context) error {
					for {
						c, err := ln.Accept()
						if err != nil {
							return err
						}
						go func() {
							defer c.Close()
							echoByRead(c)
						}()
					}
				})
			}))
		})
	})
}

// handler is one as programs have them, ringo echo too: a function of its own that closes what it was given, and keeps
// something.
//
//go:noinline
func handler(c *sock.Conn, kept [4]int64) {
	defer c.Close()
	kept[0], _ = io.Copy(c, c)
	handled.Store(kept[0] + kept[1])
}

var handled atomic.Int64

// parkedStacks measures the stacks behind idle connections of a server.
func parkedStacks(t *testing.T, s *server) {
	const conns = 1000
	testmain.NeedDescriptors(t, 6*conns+200)
	needNumbers(t, 3*conns)
	clients := make([]raw, 0, conns*3/2)
	come := func() {
		p := make([]byte, 64)
		c, err := rawDial(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		for range 2 {
			if err := c.write(p); err != nil {
				t.Fatal(err)
			}
			if err := c.read(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range conns / 2 { // new stacks are as large as those in use at the last collection, on average
		come()
	}
	before := stackInUse()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would halve stacks that were larger for a moment
	for range conns {
		come()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if each := (int64(m.StackInuse) - before) / conns; each > stackMax {
		t.Errorf("a stack has %d bytes, may have %d", each, stackMax)
	}
	for i := range clients {
		clients[i].reset()
	}
	s.stop()
}

func stackInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}

func echoByRead(c net.Conn) {
	p := make([]byte, 64)
	for {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		if _, err := c.Write(p[:n]); err != nil {
			return
		}
	}
}

// What a connection may hold of what a peer has sent that does not read: the limit of one receive, 256 KiB,
// and what its handler has of its own, 60 KB here at most. A peer that was read so far may have sent 1 MiB
// before it is known that it no longer is; and all that the kernel has room for where a receive can't be
// limited (before Linux 6.17).
const (
	heldMax   = 360 << 10
	heldKnown = 1100 << 10
	heldOnce  = 1200 << 10
)

// A peer that sends without end and never reads makes the server hold little; the rest is
// the socket's affair, also if there was much in it when the loop came to look. What is
// counted is memory that is live, and the loop's buffers.
func TestGreedyPeersHoldLittle(t *testing.T) {
	testmain.NeedLong(t, "hundreds of peers that take nothing; TestTinyRings has a few")
	if race.Enabled {
		t.Skip("the race detector's memory is in the way")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1 // the test holds the loop
		for name, fn := range echoes {
			if name == "reader and writer" {
				continue // it keeps what it can't send by itself
			}
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
					roomy(t, ln)
					return fn(l, ln)
				})
				greedy(t, s, "new", 1, heldMax)
				greedy(t, s, "known", 600, heldKnown)
			})
		}
	})
}

// greedy has a few peers be read for a while, kilobytes, and then send without reading.
func greedy(t *testing.T, s *server, name string, kilobytes, most int) {
	const peers = 4
	first := dial(t, s.addr) // so that what a loop has once, for all, is there
	defer first.Close()
	if _, err := io.ReadFull(first, sendBytes(t, first, 1024)); err != nil {
		t.Fatal(err)
	}
	before := heldBy(s)
	for range peers { // one after the other: a crowd would share the loop's buffers
		c := dial(t, s.addr)
		defer c.Close()
		c.SetReadBuffer(4 << 10)
		for range kilobytes {
			if _, err := io.ReadFull(c, sendBytes(t, c, 1024)); err != nil {
				t.Fatal(err)
			}
		}
		release := make(chan bool)
		s.loops[0].Post(func() { <-release })
		sendUntilStuck(t, c)
		close(release)
		sendUntilStuck(t, c)
	}
	held := (heldBy(s) - before) / peers
	t.Logf("%s: %d KiB a connection", name, held>>10)
	if d := s.loops[0].Info(); d.Lends && !slices.Contains(d.Features, uring.CheckRecvLimit) {
		most = heldOnce
	}
	if held > most {
		t.Errorf("a peer that does not read costs %d KiB, want %d at most", held>>10, most>>10)
	}
}

// sendBytes sends so many bytes, and gives room for as many.
func sendBytes(t *testing.T, c net.Conn, n int) []byte {
	p := make([]byte, n)
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// roomy lets much arrive at the connections of a listener before anybody reads, and little
// go out.
func roomy(t *testing.T, ln *sock.Listener) {
	rc, err := ln.SyscallConn()
	if err == nil {
		err = errors.Join(rc.Control(func(fd uintptr) {
			err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2<<20),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16<<10))
		}), err)
	}
	if err != nil {
		t.Error(err)
	}
}

// sendUntilStuck writes until nothing has gone out for a while.
func sendUntilStuck(t *testing.T, c tcpPeer) {
	for {
		c.SetWriteDeadline(time.Now().Add(40 * time.Millisecond))
		n, err := c.Write(greed[:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
			return
		}
		if n == 0 {
			return
		}
	}
}

var greed [1 << 20]byte

// heldBy is the live memory of the process, and the buffers in use.
func heldBy(s *server) int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) + s.stats().Buffers*16<<10
}

// Pipes of copies in bulk are closed when nobody has copied for some seconds, while all else is open.
func TestPipesAreGivenBack(t *testing.T) {
	testmain.NeedLong(t, "a thousand splices; TestCopyGivesBack has each way once")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 16, 1024 // few of them, in a row and full, begin splices
		pair(t, cfg, func(l *ringo.Loop, src *sock.Conn, in tcpPeer) {
			dst, out := connect(t, l)
			defer out.Close()
			defer dst.Close()
			const n = 60 << 10 // more than all buffers hold, and there before the copy begins
			if _, err := in.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			before := descriptors(t, "pipe:")
			task := l.Go(func() {
				if _, err := io.Copy(dst, src); err != nil {
					t.Error(err)
				}
			})
			offloaded(t, l, func() error {
				_, err := io.CopyN(io.Discard, out, n)
				patience.Until(t, "a pipe that nobody uses is closed", func() bool {
					return descriptors(t, "pipe:") <= before
				})
				return err
			})
			if opStats(l, "splice(in)").Tried == 0 {
				t.Error("the copy did not go by a pipe, so that nothing was tested")
			}
			in.CloseWrite()
			task.Wait()
		})
	})
}

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
					n -= k
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
			return opStats(s.loops[0], "splice(out)").Op != ""
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

// The buffers of bulky are of 1 KiB, plain ones of an eighth more, large ones of four times as much.
const (
	bulkPlain = 1024 + 1024/8
	bulkMuch  = 3000 // as one message, which one large buffer holds
)

// bulkConn is a connection to which more has come at once than a buffer holds.
type bulkConn struct {
	*testing.T
	l    *ringo.Loop
	c    *sock.Conn
	peer tcpPeer
	sent int
}

// bulky runs f with one, of which all is read.
func bulky(t *testing.T, cfg ringo.Config, f func(b *bulkConn)) {
	t.Helper()
	cfg.BufferSize, cfg.Leases = 1024, 4
	pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
		b := &bulkConn{T: t, l: l, c: c, peer: peer}
		want := b.send(2 * bulkMuch)
		if _, err := c.Peek(len(want)); err != nil { // so that all of it has come
			t.Fatal(err)
		}
		wantAll(t, c, want)
		f(b)
	})
}

// send has the peer send so many bytes, which differ from those before, and gives them some time to come.
func (b *bulkConn) send(n int) string {
	b.Helper()
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((b.sent+i)*(b.sent+i)>>8 + i)
	}
	b.sent += n
	send(b.T, b.peer, string(p))
	b.l.Sleep(time.Microsecond)
	return string(p)
}

// reads wants these bytes, by Reads into p.
func (b *bulkConn) reads(p []byte, want string) {
	b.Helper()
	for want != "" {
		n, err := b.c.Read(p)
		if err != nil || !strings.HasPrefix(want, string(p[:n])) {
			b.Fatalf("read %q, %v, of %q", p[:n], err, want)
		}
		want = want[n:]
	}
}

// large takes a lease of a large buffer. How much a receive finds is the system's affair, but not a hundred times.
func (b *bulkConn) large() (lease buf.Lease, rest string) {
	b.Helper()
	for range 100 {
		rest = b.send(bulkMuch)
		for rest != "" {
			lease, err := b.c.Next()
			if err != nil {
				b.Fatal(err)
			}
			got := string(lease.Bytes())
			if !strings.HasPrefix(rest, got) {
				b.Fatalf("other bytes have come than were sent: %q of %q", got, rest)
			}
			if rest = rest[len(got):]; len(got) > bulkPlain {
				return lease, rest
			}
			lease.Release()
		}
	}
	b.Fatalf("of 100 messages of %d bytes none has come in one piece", bulkMuch)
	return
}

// inUse is how many large buffers somebody has.
func (b *bulkConn) inUse() int {
	pools := b.l.Stats().Pools
	return pools[slices.IndexFunc(pools, func(p stats.Pool) bool { return p.Pool == "large" })].InUse
}

// What is larger than a buffer comes in a large one, and no longer when only little comes for a while, however it is
// read.
func TestBulk(t *testing.T) {
	for name, size := range map[string]int{"small Reads": 10, "large Reads": 8192} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				bulky(t, cfg, func(b *bulkConn) {
					lease, rest := b.large()
					lease.Release()
					wantAll(t, b.c, rest)
					before := opStats(b.l, "recv").Submitted
					for range 40 {
						b.reads(make([]byte, size), b.send(10))
					}
					if armed := opStats(b.l, "recv").Submitted > before; armed != b.l.Info().Lends {
						t.Errorf("after 40 small messages a receive is armed: %v, want %v", armed, !armed)
					}
					if n := b.inUse(); n != 0 {
						t.Errorf("%d large buffers are in use by a connection that was read", n)
					}
				})
			})
		})
	}
}

// Who reads much in small pieces makes few receives.
func TestBulkInSmallPieces(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		bulky(t, cfg, func(b *bulkConn) {
			const times = 10
			before := opStats(b.l, "recv").Tried
			for range times {
				b.reads(make([]byte, 10), b.send(bulkMuch))
			}
			if calls := opStats(b.l, "recv").Tried - before; calls > times*bulkMuch/100 {
				t.Errorf("%d calls have received %d bytes in pieces of 10", calls, times*bulkMuch)
			}
		})
	})
}

// Of the leases that somebody holds one is of a large buffer, so that what a connection may hold is bounded.
func TestBulkLeases(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		bulky(t, cfg, func(b *bulkConn) {
			first, rest := b.large()
			wantAll(t, b.c, rest)
			want := b.send(bulkMuch)
			held := []buf.Lease{first}
			for len(held) < 4 && want != "" {
				next, err := b.c.Next()
				if err != nil {
					t.Fatal(err)
				}
				got := string(next.Bytes())
				if len(got) > bulkPlain || !strings.HasPrefix(want, got) {
					t.Fatalf("beside a large buffer %d bytes came: %q of %q", len(got), got, want)
				}
				want = want[len(got):]
				held = append(held, next)
			}
			if _, err := b.c.Next(); len(held) == 4 && err == nil {
				t.Error("more leases than Config.Leases")
			}
			if n := b.inUse(); n != 1 {
				t.Errorf("%d large buffers are in use, want the one that is leased", n)
			}
			for _, l := range held {
				l.Release()
			}
			wantAll(t, b.c, want)
		})
	})
}

// A large buffer does not wait for a slow peer: not with WriteLease, and not in a copy.
func TestBulkToSlowPeer(t *testing.T) {
	ways := map[string]func(b *bulkConn) (want string, write func()){
		"WriteLease": func(b *bulkConn) (string, func()) {
			lease, rest := b.large()
			wantAll(b.T, b.c, rest)
			want := string(lease.Bytes())
			return want, func() {
				if n, err := b.c.WriteLease(lease); n != len(want) || err != nil {
					b.Errorf("WriteLease: %d, %v, want %d", n, err, len(want))
				}
			}
		},
		"WriteTo": func(b *bulkConn) (string, func()) {
			want := b.send(bulkMuch)
			return want, func() {
				if n, err := b.c.WriteTo(b.c); n != int64(len(want)) || err != nil {
					b.Errorf("WriteTo: %d, %v, want %d", n, err, len(want))
				}
			}
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				bulky(t, cfg, func(b *bulkConn) {
					want, write := way(b)
					before := fill(t, b.l, b.c)
					writer := b.l.Go(write)
					others(b.l)
					if n := b.inUse(); n != 0 {
						t.Errorf("%d large buffers wait for a slow peer", n)
					}
					b.peer.CloseWrite()
					wantPeer(t, b.l, b.peer, string(make([]byte, before))+want)
					if err := writer.Wait(); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// What has come in a large buffer goes with the connection: to a goroutine, and to another loop.
func TestBulkGoesAlong(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		bulky(t, cfg, func(b *bulkConn) {
			for range 20 {
				want := b.send(bulkMuch)
				if _, err := b.c.Peek(1); err != nil {
					t.Fatal(err)
				}
				onGoroutine(t, b.l, func() { wantAll(t, b.c, want) })
			}
			if n := b.inUse(); n != 0 {
				t.Errorf("%d large buffers are in use, and goroutines have read all", n)
			}
			want := b.send(bulkMuch)
			if _, err := b.c.Peek(1); err != nil {
				t.Fatal(err)
			}
			loops := b.l.Loops()
			c, err := b.c.MoveTo(loops[(b.l.Index()+1)%len(loops)])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			wantAll(t, c, want+b.send(10))
		})
	})
}

// A message as long as Config.BufferSize is received by one call, without a second one that finds nothing.
func TestFullBufferIsOneReceive(t *testing.T) {
	const messages = 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver == "uring-poll" {
			t.Skip("its polls end with each event, and before it makes the next it looks once more")
		}
		cfg.Loops, cfg.BufferSize = 1, 1024
		echo := func(c *sock.Conn) error {
			b, err := c.Next()
			if err == nil {
				_, err = c.WriteLease(b)
			}
			return err
		}
		for name, fn := range map[string]func(*ringo.Loop, *sock.Listener) error{
			"request": perRequest(&sock.Handler{Request: echo}),
			"task": perConn(func(c *sock.Conn) {
				for echo(c) == nil {
				}
			}),
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				peer := s.dial()
				message := make([]byte, cfg.BufferSize)
				for range messages {
					if _, err := peer.Write(message); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(peer, message); err != nil {
						t.Fatal(err)
					}
				}
				counted := make(chan uint64)
				l := s.loops[0]
				l.Post(func() { counted <- opStats(l, "recv").Tried })
				if got := <-counted; got > messages*3/2 { // a few come in pieces
					t.Errorf("%d calls to receive %d messages", got, messages)
				}
			})
		}
	})
}
