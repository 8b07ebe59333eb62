//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/selfsigned"
	"ringo/internal/test/testmain"
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
	patience.Within(t.Name(), func() {
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
						c.SetReadDeadline(time.Now().Add(patience.Max / 3))
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
		before := descriptors(t, "socket:")
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
		eventually(t, "no socket left", func() bool { return descriptors(t, "socket:") == before })
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
					if err := honest.write([]byte("ping")); err != nil {
						t.Fatal(err)
					}
					if err := honest.read(make([]byte, 4)); err != nil {
						t.Fatalf("the honest peer was not served (round %d, %d KB sent by the others): %v", served,
							sent>>10, err)
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

// A TLS client that stalls in its handshake, wherever it stalls, is freed by the
// deadline, also if the handshake runs in a task of the loop.
func TestTLSClientStalls(t *testing.T) {
	t.Parallel()
	cert, _ := selfsigned.Must(selfsigned.Loopback())
	hello := clientHello(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, server, closer byEach) {
			for _, sent := range []int{0, 1, 5, len(hello) / 2, len(hello)} {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					if _, err := peer.Write(hello[:sent]); err != nil {
						t.Fatal(err)
					}
					end := bare(server, l, func() error {
						c.SetDeadline(time.Now().Add(20 * time.Millisecond))
						return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
					})
					wantTimeout(t, "Handshake", end())
					if err := bare(closer, l, c.Close)(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
			}
		})
	})
}

// clientHello is what a TLS client sends first.
func clientHello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go tls.Client(theirs, &tls.Config{ServerName: "a.test"}).Handshake()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	return b[:n]
}

// A peer that is gone without a word is found out by keep-alive probes while a read
// waits.
func TestHalfOpenReader(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var ends []func() error
			for _, reader := range callers {
				c, peer := accept(t, ln)
				defer c.Close()
				if err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second,
					Interval: time.Second, Count: 1}); err != nil {
					t.Fatal(err)
				}
				vanish(t, peer)
				ends = append(ends, bare(reader, l, func() error { return read(c) }))
			}
			for i, end := range ends {
				if err := end(); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Read of a %s: %v, want ECONNRESET", callers[i].name, err)
				}
			}
		})
	})
}

// A write to a peer that is gone without a word goes out, and then both directions
// know. Before that nothing tells: a deadline ends the wait.
func TestHalfOpenWriter(t *testing.T) {
	eachSubject(t, func(s *subject) {
		vanish(s.T, s.peer)
		s.must("SetReadDeadline", s.act(func() error {
			return s.c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		}))
		s.wantDeadline("Read", s.waits(func() error { return read(s.c) }))
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Time{}) }))
		reading := s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("Write", s.waits(func() error { return write(s.c) }))
		s.wantIs("Read after a Write", reading(), syscall.ECONNRESET)
		s.wantIs("Write", s.waits(func() error { return write(s.c) }), syscall.EPIPE)
	})
}

// vanish closes a socket so that its peer does not hear of it, as when a machine loses
// its power.
func vanish(t *testing.T, c tcpPeer) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	if cerr != nil {
		t.Fatal(cerr)
	}
	if err != nil {
		t.Skipf("TCP_REPAIR, which needs CAP_NET_ADMIN: %v", err)
	}
	c.Close()
}

// A peer that takes nothing more is given up after the user timeout.
func TestUserTimeoutEndsWrite(t *testing.T) {
	t.Parallel()
	if err := zeroWindowTimesOut(); err != nil {
		t.Skip(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, writer, setter byEach) {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, _ tcpPeer) {
				data := flood()
				if err := bare(setter, l, func() error {
					return c.SetUserTimeout(100 * time.Millisecond)
				})(); err != nil {
					t.Fatal(err)
				}
				n := 0
				err := bare(writer, l, func() (err error) { n, err = c.Write(data); return err })()
				if n == 0 || n == len(data) || !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("Write: %d, %v, want a part and ETIMEDOUT", n, err)
				}
			})
		})
	})
}

// zeroWindowTimesOut asks this kernel whether the user timeout counts also while the
// peer says that it has no room (Linux 5.11).
var zeroWindowTimesOut = sync.OnceValue(func() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 100)
	})
	c.SetDeadline(time.Now().Add(patience.Max / 3))
	if _, werr := c.Write(flood()); err == nil && !errors.Is(werr, syscall.ETIMEDOUT) {
		err = errors.New("TCP_USER_TIMEOUT does not end a write to a peer without room: " + werr.Error())
	}
	return err
})

// Resets come in each state of a connection: before it is accepted, before a call,
// under a call in either direction, after half of it is closed, and under Close.
func TestResetInEachState(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := tcpSockets(t)
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			for range 20 { // not accepted yet
				reset(dial(t, ln.Addr().String()))
			}
			good := dial(t, ln.Addr().String())
			defer good.Close()
			for { // the kernel may give those that are gone, or not
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				last := c.RemoteAddr().String() == good.LocalAddr().String()
				if !last {
					if err := read(c); err == nil {
						t.Error("a reset connection is read")
					}
				}
				c.Close()
				if last {
					break
				}
			}
			for name, use := range map[string]func(c *sock.Conn, peer tcpPeer){
				"half closed by us": func(c *sock.Conn, peer tcpPeer) { c.CloseWrite(); reset(peer); read(c) },
				"half closed by them": func(c *sock.Conn, peer tcpPeer) {
					peer.CloseWrite()
					read(c)
					reset(peer)
					write(c)
				},
				"with unread bytes": func(c *sock.Conn, peer tcpPeer) {
					peer.Write([]byte("xy"))
					c.Peek(2)
					reset(peer)
					write(c)
				},
				"under Close": func(c *sock.Conn, peer tcpPeer) {
					t := l.Go(func() { c.Close() })
					reset(peer)
					t.Wait()
				},
				"with linger": func(c *sock.Conn, peer tcpPeer) {
					c.SetLinger(5)
					write(c)
					reset(peer)
					c.Close()
				},
				"read by a goroutine": func(c *sock.Conn, peer tcpPeer) {
					end := callers[1].run(l, func() error { return read(c) })
					reset(peer)
					if err := end(); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("a goroutine reads %v, want ECONNRESET", err)
					}
				},
			} {
				c, peer := accept(t, ln)
				patience.Within(name+": a call on one whose peer has reset", func() { use(c, peer) })
				c.Close()
				peer.Close()
			}
		})
		eventually(t, "no socket left", func() bool { return tcpSockets(t) == before })
	})
}

// host is one of several addresses of the loopback, so that ports do not run out.
func host(i int) [4]byte { return [4]byte{127, 0, byte(i / 200), byte(1 + i%200)} }

// 5,000 connections that are open at one time are reset at one time, in the middle
// of everything, and leave nothing. A peer that stays is served throughout.
func TestStormOfResets(t *testing.T) {
	const total = 5000
	testmain.NeedDescriptors(t, 2*total+200)
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
				before := descriptors(t, "socket:")
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
				eventually(t, "no socket left", func() bool { return descriptors(t, "socket:") == before+2 })
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
		before := descriptors(t, "socket:")
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
			eventually(t, "no socket left", func() bool { return descriptors(t, "socket:") == before })
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
		open := make(chan struct{}, 50) // so many descriptors there are everywhere
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			_, err := io.Copy(io.Discard, c)
			c.Close()
			<-open
			ends <- err
		}))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range total / 2 {
					open <- struct{}{}
					c, err := rawDial(s.addr)
					if err != nil {
						t.Error(err)
						<-open
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
		besideLoops(t, cfg, func(t *testing.T, l, away *ringo.Loop, ln *sock.Listener) {
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
		})
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

// One Write of more than a system call takes, and more than a completion's result
// can say. The slice is mostly pages that nobody touched, so it costs little memory.
func TestStormOfOneWrite(t *testing.T) {
	if !testmain.Long() {
		t.Skip("two gigabytes over the loopback, see -long")
	}
	if strconv.IntSize == 32 {
		t.Skip("no slice is as long here")
	}
	var size int64 = 1<<31 + 12345 // a variable, for it is no int everywhere
	marks := []int64{0, 1, 0x7ffff000 - 1, 0x7ffff000, 1<<31 - 1, 1 << 31, size - 1}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		msg := make([]byte, size)
		for _, at := range marks {
			msg[at] = byteAt(int(at)) | 1
		}
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			if n, err := c.Write(msg); int64(n) != size || err != nil {
				t.Errorf("Write() = %d, %v", n, err)
			}
		}))
		c := mustRaw(t, s.addr)
		found := 0
		for p, at := make([]byte, 1<<20), int64(0); at < size; at += int64(len(p)) {
			p = p[:min(int64(len(p)), size-at)]
			if err := c.read(p); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			for i, b := range p {
				if b != 0 {
					if found == len(marks) || at+int64(i) != marks[found] || b != byteAt(int(at)+i)|1 {
						t.Fatalf("byte %d at %d, want mark %d", b, at+int64(i), found)
					}
					found++
				}
			}
		}
		if found != len(marks) {
			t.Errorf("%d marks of %d arrived", found, len(marks))
		}
		if err := c.atEnd(); err != nil {
			t.Error(err)
		}
	})
}

// A logger logs a line to a writer, which it calls with a sync.Mutex locked.
var loggers = map[string]func(w io.Writer) func(line string){
	"log": func(w io.Writer) func(string) {
		l := log.New(w, "", 0)
		return func(line string) { l.Print(line) }
	},
	"slog text": func(w io.Writer) func(string) {
		l := slog.New(slog.NewTextHandler(w, nil))
		return func(line string) { l.Info(line) }
	},
	"slog JSON": func(w io.Writer) func(string) {
		l := slog.New(slog.NewJSONHandler(w, nil))
		return func(line string) { l.Info(line) }
	},
}

// waitsForRoom is a writer that waits for room.
type waitsForRoom struct{ to *ringo.Chan[[]byte] }

func (s waitsForRoom) Write(p []byte) (int, error) { return len(p), s.to.Send(bytes.Clone(p)) }

const loggerEnv, loggerWriterEnv = "RINGO_SOCK_LOGGER", "RINGO_SOCK_LOGGER_WRITER"

func init() { children["logger"] = loggerChild }

// Two tasks of a loop that share a Logger freeze it for good, once one of them parks in what the Logger writes to. The
// documentation says so; if this fails one day it has to say something else.
func TestSharedLoggerFreezes(t *testing.T) {
	for name := range loggers {
		for _, w := range []string{"a Conn", "a Chan"} {
			t.Run(name+" to "+w, func(t *testing.T) {
				t.Parallel()
				c := startChild(t, "logger", loggerEnv+"="+name, loggerWriterEnv+"="+w)
				if got := c.line(); got != "frozen" {
					t.Error(got)
				}
			})
		}
	}
}

// loggerChild is two tasks that log, and nobody who reads.
func loggerChild() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go ringo.Run(context.Background(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		var w io.Writer = waitsForRoom{ringo.NewChan[[]byte](10)}
		if os.Getenv(loggerWriterEnv) == "a Conn" {
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				fmt.Println(err)
				return err
			}
			w = c
		}
		line := loggers[os.Getenv(loggerEnv)](w)
		text := strings.Repeat("x", 1<<14)
		logs := func() {
			for {
				line(text)
			}
		}
		l.Go(logs)
		logs()
		return nil
	})
	buf := make([]byte, 1<<20)
	times := 0
	err = patience.Poll(nil, func() bool {
		parked, stands := false, false
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "loggerChild.func1.1") {
				parked = parked || strings.Contains(stack, "[coroutine")
				stands = stands || strings.Contains(stack, "[sync.Mutex.Lock")
			}
		}
		if times++; !parked || !stands {
			times = 0
		}
		return times == 20
	})
	if err != nil {
		fmt.Printf("not frozen: %v\n%s\n", err, buf[:runtime.Stack(buf, true)])
		return 1
	}
	fmt.Println("frozen")
	return 0
}

// What tasks may do instead: a Logger whose writer never waits, over a Chan that a task of its own empties. Its peer
// doesn't read, and the loop goes on. A Logger that one task has to itself may wait.
func TestLoggersOfTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			own, ownPeer := connect(t, l)
			defer ownPeer.Close()
			lines := ringo.NewChan[[]byte](16)
			var lost atomic.Int64
			w := writerFunc(func(p []byte) (int, error) {
				if !lines.TrySend(bytes.Clone(p)) {
					lost.Add(1)
				}
				return len(p), nil
			})
			shared, alone := log.New(w, "", 0), log.New(own, "", 0)
			text := strings.Repeat("x", 1<<16-1)
			tasks := ringo.NewGroup(l)
			emptied := l.Go(func() {
				for {
					p, err := lines.Recv()
					if err != nil {
						return
					}
					c.Write(p)
				}
			})
			selfish := l.Go(func() {
				for alone.Output(0, text) == nil {
				}
			})
			const each = 300
			for range 4 {
				tasks.Go(func() error {
					for range each {
						shared.Print(text)
						l.Sleep(0)
					}
					return nil
				})
			}
			if err := tasks.Wait(); err != nil {
				t.Error(err)
			}
			kept := 4*each - int(lost.Load())
			if kept == 4*each {
				t.Error("a peer that reads nothing was to be the end of room")
			}
			lines.Close()
			offloaded(t, l, func() error {
				n, err := io.Copy(io.Discard, io.LimitReader(peer, int64(kept)<<16))
				if err != nil || n != int64(kept)<<16 {
					return fmt.Errorf("of %d lines came %d bytes: %w", kept, n, err)
				}
				return nil
			})
			emptied.Wait()
			own.Close()
			selfish.Wait()
		})
	})
}
