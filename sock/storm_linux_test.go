//go:build linux

package sock_test

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// host is one of several addresses of the loopback, so that ports do not run out.
func host(i int) [4]byte { return [4]byte{127, 0, byte(i / 200), byte(1 + i%200)} }

// 5,000 connections that are open at one time are reset at one time, in the middle
// of everything, and leave nothing. A peer that stays is served throughout.
func TestStormOfResets(t *testing.T) {
	const total = 5000
	needFiles(t, 2*total+200)
	needNumbers(t, 2*total+200)
	handlers := map[string]func(*ringo.Loop, *sock.Listener) error{
		"task":    perConn(func(c *sock.Conn) { io.Copy(c, c) }),
		"request": perRequest(&sock.Handler{Request: frames}),
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range handlers {
			t.Run(name, func(t *testing.T) {
				cfg.Buffers = 64
				s := serve(t, cfg, fn)
				before := sockets(t)
				staying := s.dial()
				msg := framed(100)
				conns := make([]raw, total)
				var wg sync.WaitGroup
				for part := range 2 {
					wg.Go(func() {
						for i := part; i < total; i += 2 {
							c, err := rawDial(s.addr, from(host(i%7)))
							if err != nil {
								t.Error(err)
								conns[i].fd = -1
								continue
							}
							conns[i] = c
							switch i % 4 {
							case 0:
								c.write(msg)
							case 1:
								c.write(msg[:50])
							}
						}
					})
				}
				wg.Wait()
				wantEcho(t, staying, msg)
				for i := range conns {
					conns[i].reset()
				}
				wantEcho(t, staying, msg)
				eventually(t, "no socket left", func() bool { return sockets(t) == before+2 })
				eventually(t, "no task, slot or buffer left", func() bool {
					st := s.stats()
					return st.Tasks <= 2 && st.Slots <= 2 && st.Buffers == 0
				})
			})
		}
	})
}

// A server that accepts and closes, over and over, leaks no descriptor and no
// memory.
func TestStormOfAccepts(t *testing.T) {
	total := 20_000
	if *long {
		total = 1_000_000
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		s := serve(t, cfg, perConn(func(c *sock.Conn) {}))
		before := sockets(t)
		round := func(n int) (heap uint64) {
			var next atomic.Int64
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(n); i = next.Add(1) {
						c, err := rawDial(s.addr, from(host(int(i)%1000)))
						if err != nil {
							t.Errorf("connection %d: %v", i, err)
							return
						}
						if i%2 == 0 {
							if err := c.atEnd(); err != nil && !errors.Is(err, syscall.ECONNRESET) {
								t.Errorf("connection %d: %v", i, err)
							}
						}
						c.reset()
					}
				})
			}
			wg.Wait()
			eventually(t, "no socket left", func() bool { return sockets(t) == before })
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		first := round(total / 4)
		last := round(total - total/4)
		if grown := int64(last) - int64(first); grown > 2<<20 {
			t.Errorf("the heap grew by %d KiB in %d connections", grown>>10, total-total/4)
		}
		if st := s.stats(); st.Tasks > 2 || st.Slots > 2 || st.Buffers > 0 || st.Workers > 200 {
			t.Errorf("in the end: %d tasks, %d slots, %d buffers, %d coroutines", st.Tasks, st.Slots,
				st.Buffers, st.Workers)
		}
	})
}

// A reset that comes on the heels of bytes is told behind them, whatever the
// kernel was busy with.
func TestResetBehindBytes(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const total = 4000
		ends := make(chan error, total)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			_, err := io.Copy(io.Discard, c)
			ends <- err
		}))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range total / 2 {
					c, err := rawDial(s.addr)
					if err != nil {
						t.Error(err)
						ends <- nil
						continue
					}
					c.write([]byte("x"))
					c.reset()
				}
			})
		}
		wg.Wait()
		within(patience, t.Name()+": the resets", func() {
			for range total {
				if err := <-ends; err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Read: %v, want ECONNRESET", err)
				}
			}
		})
	})
}
