//go:build linux

package sock_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// collector is a handler, in both ways, that reads a connection to its end and
// hands over what came.
func collector(got chan string) map[string]func(*ringo.Loop, *sock.Listener) error {
	byTask := func(read func(c *sock.Conn) (string, error)) func(*ringo.Loop, *sock.Listener) error {
		return perConn(func(c *sock.Conn) {
			s, err := read(c)
			if err != nil {
				s += " and " + err.Error()
			}
			got <- s
		})
	}
	return map[string]func(*ringo.Loop, *sock.Listener) error{
		"Read": byTask(func(c *sock.Conn) (string, error) {
			p, err := io.ReadAll(c)
			return string(p), err
		}),
		"Next": byTask(func(c *sock.Conn) (string, error) {
			var b strings.Builder
			for {
				lease, err := c.Next()
				if err == io.EOF {
					return b.String(), nil
				}
				if err != nil {
					return b.String(), err
				}
				b.Write(lease.Bytes())
				lease.Release()
			}
		}),
		"Request": perRequest(&sock.Handler{
			Open: func(c *sock.Conn) error { c.SetValue(""); return nil },
			Request: func(c *sock.Conn) error {
				p := make([]byte, c.Buffered())
				n, _ := c.Read(p)
				c.SetValue(c.Value().(string) + string(p[:n]))
				return nil
			},
			Closed: func(c *sock.Conn, err error) {
				s := c.Value().(string)
				if err != io.EOF {
					s += " and " + err.Error()
				}
				got <- s
			},
		}),
	}
}

func eachCollector(t *testing.T, f func(t *testing.T, s *server, got chan string)) {
	t.Helper()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, name := range []string{"Read", "Next", "Request"} {
			t.Run(name, func(t *testing.T) {
				got := make(chan string, 1000)
				f(t, serve(t, cfg, collector(got)[name]), got)
			})
		}
	})
}

func wantGot(t *testing.T, got chan string, want string) {
	t.Helper()
	within(patience, t.Name(), func() {
		if s := <-got; s != want {
			t.Errorf("the server read %q, want %q", s, want)
		}
	})
}

// Bytes and the end in one segment make one event: who reads the bytes and takes
// the short count for an empty socket waits for ever.
func TestBytesAndFINTogether(t *testing.T) {
	eachCollector(t, func(t *testing.T, s *server, got chan string) {
		for range 50 {
			c := mustRaw(t, s.addr)
			syscall.SetsockoptInt(c.fd, syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
			if err := c.write([]byte("last")); err != nil {
				t.Fatal(err)
			}
			syscall.Shutdown(c.fd, syscall.SHUT_WR)
			wantGot(t, got, "last")
			if err := c.atEnd(); err != nil {
				t.Errorf("the peer's end: %v", err)
			}
		}
	})
}

// An urgent byte is not part of the stream, and what comes around it is.
func TestUrgentByte(t *testing.T) {
	t.Parallel()
	eachCollector(t, func(t *testing.T, s *server, got chan string) {
		urgent := func(c raw) {
			if err := syscall.Sendto(c.fd, []byte("!"), syscall.MSG_OOB, nil); err != nil {
				t.Fatal(err)
			}
		}
		together := mustRaw(t, s.addr)
		together.write([]byte("ab"))
		urgent(together)
		together.write([]byte("cd"))
		syscall.Shutdown(together.fd, syscall.SHUT_WR)
		wantGot(t, got, "abcd")

		apart := mustRaw(t, s.addr)
		for _, piece := range []string{"ab", "!", "cd", "!", "!", "ef"} {
			if piece == "!" {
				urgent(apart)
			} else {
				apart.write([]byte(piece))
			}
			if turns := idleTurns(t, s); turns > 20 {
				t.Errorf("%d turns in 30 ms after %q: it spins", turns, piece)
			}
		}
		syscall.Shutdown(apart.fd, syscall.SHUT_WR)
		wantGot(t, got, "abcdef")
	})
}

// The same while nobody can look between the pieces: all is there at one time, for
// one event.
func TestUrgentByteAtOnce(t *testing.T) {
	reads := map[string]func(c *sock.Conn, p []byte) (int, error){
		"Read": func(c *sock.Conn, p []byte) (int, error) { return c.Read(p) },
		"Next": func(c *sock.Conn, p []byte) (int, error) {
			lease, err := c.Next()
			defer lease.Release()
			return copy(p, lease.Bytes()), err
		},
		"Peek": func(c *sock.Conn, p []byte) (int, error) {
			if _, err := c.Peek(1); err != nil {
				return 0, err
			}
			return c.Read(p)
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, read := range reads {
			for _, parked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, parked %v", name, parked), func(t *testing.T) {
					onLoop(t, cfg, func(l *ringo.Loop) {
						ln := listen(t, l)
						defer ln.Close()
						peer := mustRaw(t, ln.Addr().String())
						c, err := ln.AcceptConn()
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						var got []byte
						reading := func() {
							for p := make([]byte, 10); len(got) < 4; {
								n, err := read(c, p)
								if err != nil {
									t.Errorf("after %q: %v", got, err)
									return
								}
								got = append(got, p[:n]...)
							}
						}
						c.SetReadDeadline(time.Now().Add(patience / 3))
						var task *ringo.Task
						if parked {
							task = l.Go(reading)
							others(l)
						}
						peer.write([]byte("ab"))
						syscall.Sendto(peer.fd, []byte("!"), syscall.MSG_OOB, nil)
						peer.write([]byte("cd"))
						if !parked {
							task = l.Go(reading)
						}
						task.Wait()
						if string(got) != "abcd" {
							t.Errorf("read %q, want abcd", got)
						}
					})
				})
			}
		}
	})
}

// Peers that connect and vanish, in every way, leave nothing.
func TestConnectAndVanish(t *testing.T) {
	eachCollector(t, func(t *testing.T, s *server, got chan string) {
		before := sockets(t)
		for i := range 300 {
			c, err := rawDial(s.addr)
			if err != nil {
				t.Fatal(err)
			}
			switch i % 4 {
			case 0:
				c.close()
			case 1:
				c.reset()
			case 2:
				c.write([]byte("x"))
				c.reset()
			case 3:
				syscall.Shutdown(c.fd, syscall.SHUT_RDWR)
				c.close()
			}
		}
		eventually(t, "no socket left", func() bool { return sockets(t) == before })
		for range 300 {
			<-got
		}
		c := mustRaw(t, s.addr) // and the next one is served
		c.write([]byte("served"))
		syscall.Shutdown(c.fd, syscall.SHUT_WR)
		wantGot(t, got, "served")
	})
}

// hogs are servers that hold what a peer who does not read makes them hold.
var hogs = map[string]func(*ringo.Loop, *sock.Listener) error{
	"io.Copy": perConn(func(c *sock.Conn) {
		slim(c)
		io.Copy(c, c)
	}),
	"Read and Write": perConn(func(c *sock.Conn) {
		slim(c)
		p := make([]byte, 4096)
		for {
			n, err := c.Read(p)
			if err != nil {
				return
			}
			if _, err := c.Write(p[:n]); err != nil {
				return
			}
		}
	}),
	"Peek, Read and Write": perConn(func(c *sock.Conn) {
		slim(c)
		p := make([]byte, 100)
		for {
			if _, err := c.Peek(1); err != nil {
				return
			}
			n, err := c.Read(p)
			if err != nil {
				return
			}
			if _, err := c.Write(p[:n]); err != nil {
				return
			}
		}
	}),
	"a lease over Write": perConn(func(c *sock.Conn) {
		slim(c)
		for {
			lease, err := c.Next()
			if err != nil {
				return
			}
			_, err = c.Write(lease.Bytes())
			lease.Release()
			if err != nil {
				return
			}
		}
	}),
	"Peek over Write": perRequest(&sock.Handler{Open: slim, Request: func(c *sock.Conn) error {
		for c.Buffered() > 0 {
			p, err := c.Peek(c.Buffered())
			if err != nil {
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
			c.Discard(len(p))
		}
		return nil
	}}),
	"nobody reads": perConn(func(c *sock.Conn) {
		if p, err := c.Peek(1); err != nil || p[0] == 'h' { // a hog
			c.Loop().Sleep(time.Hour)
			return
		}
		io.Copy(c, c)
	}),
}

// slim gives a connection small buffers in the kernel, so that little fills them.
func slim(c *sock.Conn) error {
	return errors.Join(c.SetWriteBuffer(1), c.SetReadBuffer(1))
}

// Four times as many peers as there are buffers send and never read. An honest
// one is served all the same, and the memory stays bounded.
func TestPeersThatNeverRead(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize, cfg.Grace = 16, 2048, -1
		for name, fn := range hogs {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				hogging := make([]raw, 4*cfg.Buffers)
				chunk := make([]byte, 64<<10)
				for i := range chunk {
					chunk[i] = 'h'
				}
				for i := range hogging {
					hogging[i] = mustRaw(t, s.addr, narrow)
					syscall.SetNonblock(hogging[i].fd, true)
				}
				sent := 0
				push := func() (progress bool) {
					for _, c := range hogging {
						for {
							n, err := syscall.Write(c.fd, chunk)
							if n <= 0 || err != nil {
								break
							}
							sent += n
							progress = true
						}
					}
					return progress
				}
				honest := mustRaw(t, s.addr)
				served := 0
				for quiet := 0; quiet < 20; served++ { // until the hogs are stuck
					if push() {
						quiet = 0
					} else {
						quiet++
					}
					begin := time.Now()
					if err := honest.write([]byte("ping")); err != nil {
						t.Fatal(err)
					}
					if err := honest.read(make([]byte, 4)); err != nil {
						t.Fatalf("the honest peer was not served (round %d, %d KB sent by the others): %v", served,
							sent>>10, err)
					}
					if took := time.Since(begin); took > patience/3 {
						t.Errorf("the honest peer waited %v", took)
					}
				}
				eventually(t, "all hogs have a task that waits", func() bool {
					push()
					return s.stats().Tasks > len(hogging)
				})
				// who waits holds nothing that others need
				if name == "io.Copy" || strings.HasSuffix(name, "Read and Write") {
					eventually(t, "the hogs' buffers come back", func() bool { return s.stats().Buffers <= 2 })
				}
				late := mustRaw(t, s.addr) // one who comes when all is stuck
				msg := make([]byte, 20_000)
				pattern(msg, 0)
				got := make([]byte, len(msg))
				done := make(chan error, 1)
				go func() { done <- late.write(msg) }()
				if err := late.read(got); err != nil || mismatch(got, 0) >= 0 {
					t.Errorf("a late peer was not served: %v", err)
				}
				<-done
				runtime.GC()
				runtime.ReadMemStats(&after)
				// Per hog: its leases, what was copied out of them, and what is unread.
				bound := uint64(len(hogging)) * uint64(2*4*cfg.BufferSize+2*4*cfg.BufferSize+64<<10)
				if grown := after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc); grown > bound {
					t.Errorf("the heap grew by %d KiB with %d hogs, want at most %d", grown>>10,
						len(hogging), bound>>10)
				}
				t.Logf("%d KB sent by %d hogs, %d rounds of the honest peer, heap %d KiB more",
					sent>>10, len(hogging), served,
					int64(after.HeapAlloc-before.HeapAlloc)>>10)
			})
		}
	})
}

// A slow reader gets everything in the end, and holds up nobody.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 4, 1024
		s := serve(t, cfg, perConn(func(c *sock.Conn) { io.Copy(c, c) }))
		var wg sync.WaitGroup
		for range 12 {
			peer := s.dial()
			wg.Go(func() {
				msg := make([]byte, 2<<20)
				pattern(msg, 0)
				go peer.Write(msg)
				p := make([]byte, 50_000)
				for at := 0; at < len(msg); {
					time.Sleep(time.Millisecond)
					n, err := peer.Read(p)
					if err != nil {
						t.Errorf("at %d: %v", at, err)
						return
					}
					if bad := mismatch(p[:n], at); bad >= 0 {
						t.Errorf("wrong byte at %d", bad)
						return
					}
					at += n
				}
			})
		}
		wg.Wait()
	})
}
