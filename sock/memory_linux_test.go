//go:build linux

package sock_test

import (
	"io"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ringo"
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
