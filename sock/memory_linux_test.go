//go:build linux

package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/uring"
)

// Crowds that come and go leave what the first left: slots, buffers, coroutines
// and memory are used again.
func TestCrowdsLeaveNothing(t *testing.T) {
	const crowd, crowds = 500, 8
	needFiles(t, 2*crowd+200)
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
				measure := func() (heap int64, st ringo.Stats) {
					runtime.GC()
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc), s.stats()
				}
				come()
				come()
				heap, _ := measure()
				for range crowds - 2 {
					come()
				}
				grown, after := measure()
				grown -= heap
				if after.Workers > crowd+10 {
					t.Errorf("%d coroutines after %d crowds of %d", after.Workers, crowds, crowd)
				}
				if grown > 400<<10 {
					t.Errorf("the heap grew by %d KiB from the second crowd to the last", grown>>10)
				}
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

// parkedStacks measures the stacks behind idle connections of a server.
func parkedStacks(t *testing.T, s *server) {
	const conns = 1000
	needFiles(t, 6*conns+200)
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
	for range conns {
		come()
	}
	if each := (stackInUse() - before) / conns; each > stackMax {
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
			before := pipesOpen(t)
			task := l.Go(func() {
				if _, err := io.Copy(dst, src); err != nil {
					t.Error(err)
				}
			})
			offloaded(t, l, func() error {
				_, err := io.CopyN(io.Discard, out, n)
				patience.Until(t, "a pipe that nobody uses is closed", func() bool { return pipesOpen(t) <= before })
				return err
			})
			splices := uint64(0)
			for _, op := range l.Stats().Ops {
				if op.Op == "splice(in)" {
					splices = op.Tried
				}
			}
			if splices == 0 {
				t.Error("the copy did not go by a pipe, so that nothing was tested")
			}
			in.CloseWrite()
			task.Wait()
		})
	})
}

// pipesOpen is how many ends of pipes the process has.
func pipesOpen(t *testing.T) (n int) {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Error(err)
	}
	for _, e := range dir {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(name, "pipe:") {
			n++
		}
	}
	return n
}
