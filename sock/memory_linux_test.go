//go:build linux

package sock_test

import (
	"context"
	"io"
	"net"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/sock"
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
	if size := reflect.TypeFor[sock.Conn]().Size(); size > 640 {
		t.Errorf("a Conn has %d bytes, and the size class before has 640", size)
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
