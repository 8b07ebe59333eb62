//go:build linux

package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
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
	total := 8_000
	if testmain.Long() {
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
		eventually(t, "no task, slot, buffer or coroutine left", func() bool {
			st := s.stats()
			return st.Tasks <= 2 && st.Slots <= 2 && st.Buffers == 0 && st.Workers <= 200
		})
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
		patience.Within(t.Name()+": the resets", func() {
			for range total {
				if err := <-ends; err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Read: %v, want ECONNRESET", err)
				}
			}
		})
	})
}

// Everybody comes to connections of goroutines at once, and they are closed meanwhile: what is under way is
// never on another's descriptor, and all ends.
func TestDetachedInAStorm(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		other := make(chan *ringo.Loop, 1)
		over := make(chan struct{})
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				ln.Close() // all peers come to the other loop
				other <- l
				offloaded(t, l, func() error { <-over; return nil })
				return nil
			}
			defer close(over)
			offloaded(t, l, func() error {
				away := <-other
				var lanes sync.WaitGroup
				for lane := range 4 {
					lanes.Go(func() {
						r := rand.New(rand.NewPCG(uint64(lane), 17))
						for end := time.Now().Add(time.Second); time.Now().Before(end); {
							besiege(t, r, l, away, ln)
						}
					})
				}
				patience.Within(t.Name(), lanes.Wait)
				return nil
			})
			return nil
		})
		<-over
		s.stop()
	})
}

// besiege has some of those who can come to a connection come at the same time, one of which closes it.
func besiege(t *testing.T, r *rand.Rand, l, away *ringo.Loop, ln *sock.Listener) {
	conn, err := net.Dial("tcp", ln.Addr().String())
	if errors.Is(err, syscall.ECONNRESET) {
		return // another lane has taken it, and closed it with a linger of 0
	}
	if err != nil {
		t.Error(err)
		return
	}
	peer := conn.(*net.TCPConn)
	defer peer.Close()
	c, err := ln.AcceptConn() // not always of that peer: there are other lanes
	if err != nil {
		t.Error(err)
		return
	}
	port := uint16(c.RemoteAddr().(*net.TCPAddr).Port)
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], uint64(port))
	binary.LittleEndian.PutUint16(id[:], uint16(peer.LocalAddr().(*net.TCPAddr).Port))
	go func() {
		for range 3 {
			peer.Write(id[:])
		}
		io.Copy(io.Discard, peer)
	}()
	own := func(fd uintptr) {
		sa, err := syscall.Getpeername(int(fd))
		if in, ok := sa.(*syscall.SockaddrInet4); ok && uint16(in.Port) != port {
			t.Errorf("the descriptor is of a peer at %d, want %d", in.Port, port)
		} else if err != nil && err != syscall.ENOTCONN {
			t.Errorf("getpeername: %v", err)
		}
	}
	raw, _ := c.SyscallConn()
	linger := r.IntN(2) - 1
	acts := []func(){
		func() { raw.Control(own) },
		func() {
			raw.Write(func(fd uintptr) bool { own(fd); return true })
		},
		func() {
			raw.Read(func(fd uintptr) bool { own(fd); return true })
		},
		func() {
			var id [8]byte
			if _, err := io.ReadFull(c, id[:]); err == nil && binary.LittleEndian.Uint16(id[:]) != port {
				t.Errorf("read what %d sent, want %d", binary.LittleEndian.Uint16(id[:]), port)
			}
		},
		func() { c.Write(id[:]) },
		func() { c.SetDeadline(time.Now().Add(time.Millisecond)) },
		func() { c.SetReadDeadline(time.Now().Add(time.Hour)); c.SetReadDeadline(time.Time{}) },
		func() { c.SetNoDelay(false) },
		func() { c.SetLinger(linger) },
		func() {
			if f, err := c.File(); err == nil {
				own(f.Fd())
				f.Close()
			}
		},
		func() { c.WriteTo(io.Discard) },
		func() { c.Buffered() },
	}
	ends := []func(){
		func() { c.Close() },
		func() {
			if fd, _, err := c.Detach(); err == nil {
				own(uintptr(fd))
				syscall.Close(fd)
			}
		},
		func() {
			if moved, err := c.MoveTo(away); err == nil {
				moved.Close()
			}
		},
	}
	var all sync.WaitGroup
	run := func(how int, f func()) {
		switch how {
		case 0:
			all.Go(func() { l.Go(f).Wait() })
		case 1:
			all.Go(func() { away.Go(f).Wait() })
		case 2: // one that is cancelled
			all.Go(func() {
				task := away.Go(f)
				task.Cancel()
				if err := task.Wait(); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		default:
			all.Go(f)
		}
	}
	for range 1 + r.IntN(4) {
		run(r.IntN(6), acts[r.IntN(len(acts))])
	}
	for range 1 + r.IntN(2) {
		run(r.IntN(6), ends[r.IntN(len(ends))])
	}
	c.Close() // one that was cancelled has done nothing
	all.Wait()
}
