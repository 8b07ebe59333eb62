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
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// readSome reads n bytes, and checks that they are those of the pattern from off on.
func readSome(t *testing.T, r io.Reader, off, n int) {
	t.Helper()
	p := make([]byte, n)
	if k, err := io.ReadFull(r, p); err != nil {
		t.Errorf("%d bytes of %d from %d on: %v", k, n, off, err)
	} else if bad := mismatch(p, off); bad >= 0 {
		t.Errorf("wrong byte at %d of %d from %d on", bad, n, off)
	}
}

// stream has the peer send n bytes of the pattern and end.
func stream(peer tcpPeer, n int) {
	go func() {
		p := make([]byte, n)
		pattern(p, 0)
		peer.Write(p)
		peer.CloseWrite()
	}()
}

func TestFile(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		before := descriptors(t, "socket:")
		var f *os.File
		start.run(func() {
			var err error
			if f, err = c.File(); err != nil {
				t.Errorf("File: %v", err)
			}
		})
		if f == nil {
			return
		}
		if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD,
			0); flags&syscall.FD_CLOEXEC == 0 {
			t.Error("children would get the descriptor")
		}
		// Nothing is armed: what comes now is in the file.
		send(t, peer, "after")
		start.run(func() { c.Close() })
		p := make([]byte, 5)
		if _, err := io.ReadFull(f, p); err != nil || string(p) != "after" {
			t.Errorf("the file gave %q, %v", p, err)
		}
		if _, err := f.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
		f.Close()
		if got, err := io.ReadAll(peer); string(got) != "answer" || err != nil {
			t.Errorf("the peer got %q, %v", got, err)
		}
		if n := descriptors(t, "socket:"); n != before-1 {
			t.Errorf("%d sockets, %d before one was closed", n, before)
		}
		start.run(func() {
			_, err := c.File()
			wantClosed(t, "File", err)
		})
	})
}

func TestFileUnread(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		send(t, peer, "abc")
		start.run(func() {
			if _, err := c.Peek(1); err != nil {
				t.Error(err)
			}
			if _, err := c.File(); !errors.Is(err, sock.ErrUnread) {
				t.Errorf("File: %v", err)
			}
			p := make([]byte, 3)
			if _, err := io.ReadFull(c, p); err != nil || string(p) != "abc" {
				t.Errorf("Read: %q, %v", p, err)
			}
			f, err := c.File()
			if err != nil {
				t.Error(err)
			}
			f.Close()
		})
		// A reader that waits is no reason to wait.
		read := start(func() {
			p := make([]byte, 3)
			if n, err := c.Read(p); err != nil || string(p[:n]) != "x" {
				t.Errorf("Read: %q, %v", p[:n], err)
			}
		})
		start.run(func() {
			f, err := c.File()
			if err != nil {
				t.Error(err)
			}
			f.Close()
		})
		send(t, peer, "x")
		<-read
	})
}

func TestListenerFile(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			f, err := ln.File()
			if err != nil {
				t.Fatal(err)
			}
			ln.Close()
			_, err = ln.File()
			wantClosed(t, "File", err)
			onGoroutine(t, l, func() {
				other, err := net.FileListener(f)
				f.Close()
				if err != nil {
					t.Error(err)
					return
				}
				defer other.Close()
				peer := dial(t, ln.Addr().String())
				defer peer.Close()
				c, err := other.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
			})
		})
	})
}

// detachments are the ways in which a connection leaves: each gives one of package net, and what was received and not
// read, if that is not in it.
var detachments = map[string]func(c *sock.Conn) (conn net.Conn, unread []byte, err error){
	"Detach": func(c *sock.Conn) (net.Conn, []byte, error) {
		fd, unread, err := c.Detach()
		if err != nil {
			return nil, unread, err
		}
		f := os.NewFile(uintptr(fd), "detached")
		defer f.Close()
		conn, err := net.FileConn(f)
		return conn, unread, err
	},
	"DetachConn": func(c *sock.Conn) (net.Conn, []byte, error) {
		conn, err := c.DetachConn()
		return conn, nil, err
	},
	"DetachTCP": func(c *sock.Conn) (net.Conn, []byte, error) {
		conn, unread, err := c.DetachTCP()
		if err != nil {
			return nil, unread, err
		}
		return conn, unread, nil
	},
}

// Wherever a stream is left, and however, what is unread and what the kernel has is all of it.
func TestDetach(t *testing.T) {
	for name, detach := range detachments {
		t.Run(name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
				before := descriptors(t, "socket:")
				const size = 1 << 20
				stream(peer, size)
				at := rand.IntN(size / 2)
				var conn net.Conn
				var unread []byte
				peeks := name != "Detach" || rand.IntN(2) == 0
				start.run(func() {
					readSome(t, c, 0, at)
					if peeks {
						if _, err := c.Peek(1 + rand.IntN(100)); err != nil {
							t.Error(err)
						}
					}
					if _, _, err := c.DetachUnix(); !errors.Is(err, errors.ErrUnsupported) {
						t.Errorf("DetachUnix: %v, want errors.ErrUnsupported", err)
					}
					var err error
					if conn, unread, err = detach(c); err != nil {
						t.Error(err)
					}
					wantClosed(t, "Read", read(c))
					_, _, err = detach(c)
					wantClosed(t, name, err)
					c.Close()
				})
				if conn == nil {
					return
				}
				if mismatch(unread, at) >= 0 || peeks && name != "DetachConn" && len(unread) == 0 {
					t.Errorf("the %d bytes that were received are others", len(unread))
				}
				at += len(unread)
				some := min(10, size-at) // a loop that is slow has received all
				readSome(t, conn, at, some)
				rest, err := io.ReadAll(conn)
				if at += some; len(rest) != size-at || err != nil || mismatch(rest, at) >= 0 {
					t.Errorf("%d bytes came of %d, %v", len(rest), size-at, err)
				}
				if _, err := conn.Write([]byte("answer")); err != nil {
					t.Error(err)
				}
				closeWrite(t, conn)
				if got, err := io.ReadAll(peer); string(got) != "answer" || err != nil {
					t.Errorf("the peer got %q, %v", got, err)
				}
				conn.Close()
				if n := descriptors(t, "socket:"); n != before-1 {
					t.Errorf("%d sockets, %d before one was closed", n, before)
				}
			})
		})
	}
}

// The connection that DetachConn gives may be read by several, as package net's may: each byte comes once, also where a
// writer that one copies to takes less.
func TestDetachConnReaders(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			const pieces = 1 << 15 // of two bytes each, which are all unread
			for range 4 {
				c, peer := connect(t, l)
				all := make([]byte, 2*pieces)
				for i := range pieces {
					binary.NativeEndian.PutUint16(all[2*i:], uint16(i))
				}
				go func() {
					peer.Write(all)
					peer.CloseWrite()
				}()
				if _, err := c.Peek(2 * pieces); err != nil {
					t.Error(err)
				}
				conn, err := c.DetachConn()
				if err != nil {
					t.Error(err)
					return
				}
				var came [pieces]atomic.Int32
				count := func(p []byte) {
					for ; len(p) > 1; p = p[2:] {
						came[binary.NativeEndian.Uint16(p)].Add(1)
					}
				}
				copies := func() error {
					_, err := conn.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) {
						n := min(len(p), 6)
						count(p[:n])
						return n, errSink
					}))
					if err == nil {
						err = io.EOF
					}
					return err
				}
				reads := func() error {
					p := make([]byte, 4)
					n, err := conn.Read(p)
					count(p[:n])
					return err
				}
				offloaded(t, l, func() error {
					var readers sync.WaitGroup
					for _, read := range []func() error{reads, reads, copies} {
						readers.Go(func() {
							for err := error(nil); err == nil || err == errSink; {
								err = read()
							}
						})
					}
					readers.Wait()
					return errors.Join(conn.Close(), peer.Close())
				})
				for i := range came {
					if n := came[i].Load(); n != 1 {
						t.Errorf("the piece at %d came %d times", i, n)
						return
					}
				}
			}
		})
	})
}

// A connection goes from loop to loop in the middle of a stream.
func TestMoveTo(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		before := descriptors(t, "socket:")
		const size = 4 << 20
		stream(peer, size)
		c.SetValue("of it")
		remote := c.RemoteAddr().String()
		loops := c.Loop().Loops()
		off := 0
		for off < size {
			n := min(size-off, rand.IntN(200_000))
			reader := start
			if rand.IntN(2) == 0 {
				reader = func(f func()) <-chan struct{} {
					c.Loop().Go(f).Wait()
					done := make(chan struct{})
					close(done)
					return done
				}
			}
			reader.run(func() { readSome(t, c, off, n) })
			if off += n; t.Failed() {
				return
			}
			var next *sock.Conn
			start.run(func() {
				if rand.IntN(2) == 0 && off < size {
					if _, err := c.Peek(1); err != nil {
						t.Error(err)
					}
				}
				var err error
				if next, err = c.MoveTo(loops[rand.IntN(2)]); err != nil {
					t.Errorf("MoveTo: %v", err)
				}
			})
			if next == nil {
				return
			}
			if next != c {
				if err := c.SetNoDelay(true); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the old Conn: %v", err)
				}
			}
			c = next
		}
		if c.Value() != "of it" || c.RemoteAddr().String() != remote {
			t.Errorf("value %v, peer %v", c.Value(), c.RemoteAddr())
		}
		start.run(func() {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			if _, err := c.Write([]byte("bye")); err != nil {
				t.Error(err)
			}
			c.Close()
		})
		if got, err := io.ReadAll(peer); string(got) != "bye" || err != nil {
			t.Errorf("the peer got %q, %v", got, err)
		}
		if n := descriptors(t, "socket:"); n != before-1 {
			t.Errorf("%d sockets, %d before one was closed", n, before)
		}
	})
}

// Unread bytes go from loop to loop, and to goroutines and back, in the memory that they are in: there may be a quarter
// of a megabyte of them, each time.
func TestUnreadMovesInPlace(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		const size = 60_000
		stream(peer, size)
		var at *byte
		look := func() {
			p, err := c.Peek(size)
			if err != nil || mismatch(p, 0) >= 0 {
				t.Errorf("Peek: %d bytes, %v", len(p), err)
				return
			}
			at = &p[0]
		}
		own := func(f func()) { c.Loop().Go(f).Wait() }
		move := func() {
			moved, err := c.MoveTo(otherLoop(c.Loop()))
			if err != nil {
				t.Errorf("MoveTo: %v", err)
				return
			}
			c = moved
		}
		own(look)
		start.run(move) // which may have to take them out of a loop's buffers
		own(look)
		for _, way := range []struct {
			name string
			take func()
		}{
			{"to another loop", func() { start.run(move); own(look) }},
			{"to a goroutine", look},
			{"from there to another loop", func() { start.run(move); look() }},
			{"to a task", func() { own(look) }},
		} {
			was := at
			if way.take(); at != was {
				t.Errorf("%s: they were copied", way.name)
			}
		}
		own(func() {
			readSome(t, c, 0, size)
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			c.Close()
		})
	})
}

// Deadlines move along, leases stay, and who waits is told.
func TestMoveToCarries(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		other := c.Loop().Loops()[1-c.Loop().Index()]
		send(t, peer, "leased")
		start.run(func() {
			lease, err := c.Next()
			if err != nil {
				t.Error(err)
				return
			}
			defer lease.Release()
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			c.SetWriteDeadline(time.Now().Add(time.Hour))
			moved, err := c.MoveTo(other)
			if err != nil {
				t.Error(err)
				return
			}
			if string(lease.Bytes()) != "leased" {
				t.Errorf("the lease has %q", lease.Bytes())
			}
			c = moved
			// Without its deadline nothing else would end it.
			late := time.AfterFunc(patience.Max/6, func() { peer.Write([]byte("late")) })
			wantTimeout(t, "Read", read(c))
			late.Stop()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			c.SetDeadline(never)
		})
		old := c
		waits := start(func() { wantClosed(t, "Read", read(old)) })
		start.run(func() {
			var err error
			if c, err = old.MoveTo(old.Loop().Loops()[1-old.Loop().Index()]); err != nil {
				t.Error(err)
				return
			}
			old.Close() // which must not hit the new one
			send(t, peer, "y")
			if err := read(c); err != nil {
				t.Error(err)
			}
			_, err = old.MoveTo(other)
			wantClosed(t, "MoveTo", err)
			c.Close()
		})
		<-waits
	})
}

// A connection that is idle is so on its next loop, too: the drain does not wait for it.
func TestMoveToCarriesIdle(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		reads, done := make(chan bool, 1), make(chan error, 1)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			c.SetIdle(false) // it has spoken
			c.SetIdle(true)
			done <- moved(c, c.Loop().Loops()[1-c.Loop().Index()], func(c *sock.Conn) error {
				defer c.Close()
				reads <- true
				return read(c)
			})
		}))
		s.dial()
		<-reads
		s.stop()
		if err := <-done; !errors.Is(err, ringo.ErrDraining) {
			t.Errorf("Read: %v, want ErrDraining", err)
		}
	})
}

// What became of a write that was accepted is told to whoever has the connection then: the peer is gone, and nobody
// may take the bytes for sent.
func TestLostWriteIsToldBehindMove(t *testing.T) {
	ways := map[string]func(c *sock.Conn, other *ringo.Loop) error{
		"MoveTo, Write": func(c *sock.Conn, other *ringo.Loop) error {
			return moved(c, other, func(c *sock.Conn) error { defer c.Close(); return write(c) })
		},
		"MoveTo, Flush": func(c *sock.Conn, other *ringo.Loop) error {
			return moved(c, other, func(c *sock.Conn) error { defer c.Close(); return c.Flush() })
		},
		"MoveTo, Close": func(c *sock.Conn, other *ringo.Loop) error {
			return moved(c, other, (*sock.Conn).Close)
		},
		"MoveTo, MoveTo, Close": func(c *sock.Conn, other *ringo.Loop) error {
			first := c.Loop()
			return moved(c, other, func(c *sock.Conn) error { return moved(c, first, (*sock.Conn).Close) })
		},
		"Detach": func(c *sock.Conn, _ *ringo.Loop) error {
			fd, _, err := c.Detach()
			if err == nil {
				os.NewFile(uintptr(fd), "detached").Close()
			}
			return err
		},
		"DetachConn": func(c *sock.Conn, _ *ringo.Loop) error {
			conn, err := c.DetachConn()
			if err == nil {
				conn.Close()
			}
			return err
		},
		"DetachTCP": func(c *sock.Conn, _ *ringo.Loop) error {
			conn, _, err := c.DetachTCP()
			if err == nil {
				conn.Close()
			}
			return err
		},
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for name, way := range ways {
			conns, gone, done := make(chan *sock.Conn, 1), make(chan error, 1), make(chan error, 1)
			s := serve(t, cfg, perConn(func(c *sock.Conn) {
				conns <- c
				if err := waiter(c)(gone); err != nil {
					t.Error(err)
				}
				if _, err := c.Write([]byte("lost")); err != nil {
					t.Errorf("%s: Write: %v, want it to be accepted", name, err)
				}
				done <- way(c, c.Loop().Loops()[1-c.Loop().Index()])
			}))
			peer := s.dial()
			c := <-conns
			reset(peer)
			eventually(t, "the reset", func() bool {
				info, err := c.TCPInfo()
				return err == nil && info.State == sock.TCPClose
			})
			gone <- nil
			if err := <-done; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%s: %v, want why the write was lost", name, err)
			}
			s.stop()
		}
	})
}

// moved moves a connection, and does with it in a task of its loop what is to be done there.
func moved(c *sock.Conn, to *ringo.Loop, then func(c *sock.Conn) error) error {
	c, err := c.MoveTo(to)
	if err != nil {
		return err
	}
	return to.Call(func() error { return then(c) })
}

// A Handler may move or detach the connection that it is called for.
func TestMoveFromHandler(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		closed := make(chan error, 1)
		h := &sock.Handler{
			Request: func(c *sock.Conn) error {
				next := c.Loop().Loops()[1-c.Loop().Index()]
				moved, err := c.MoveTo(next)
				if err != nil {
					return err
				}
				next.Go(func() {
					defer moved.Close()
					io.Copy(moved, moved)
				})
				return nil
			},
			Closed: func(c *sock.Conn, err error) { closed <- err },
		}
		s := serve(t, cfg, perRequest(h))
		peer := s.dial()
		echo(t, peer, 300_000)
		if err := <-closed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Closed was told %v", err)
		}
		peer.Close()
		s.stop()
	})
}

func TestMoveToEndedLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var gone *ringo.Loop
		onLoop(t, cfg, func(l *ringo.Loop) { gone = l })
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			if _, err := c.MoveTo(gone); !errors.Is(err, ringo.ErrEnded) || errors.Is(err, net.ErrClosed) {
				t.Errorf("MoveTo: %v", err)
			}
			send(t, peer, "x")
			if err := read(c); err != nil {
				t.Errorf("then: %v", err)
			}
		})
	})
}

// asFile gives the descriptor of a connection or a listener of package net as a file, in blocking mode or not.
func asFile(t *testing.T, c io.Closer, blocking bool) *os.File {
	t.Helper()
	if ln, ok := c.(*net.UnixListener); ok {
		ln.SetUnlinkOnClose(false)
	}
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := syscall.SetNonblock(int(f.Fd()), !blocking); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAdopt(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for _, as := range []string{"conn", "file", "blocking file", "exclusive file"} {
				for _, from := range []string{"task", "goroutine"} {
					t.Run(fmt.Sprint(network, "/", as, "/", from), func(t *testing.T) {
						before := descriptors(t, "socket:")
						onLoop(t, cfg, func(l *ringo.Loop) {
							a, b := netPair[net.Conn](t, network)
							defer b.Close()
							var s io.Closer = a
							if as != "conn" {
								s = asFile(t, a, as != "file")
							}
							run := func(f func()) { f() }
							if from == "goroutine" {
								run = func(f func()) { onGoroutine(t, l, f) }
							}
							run(func() {
								b.SetDeadline(patience.Deadline())
								ac := &sock.AdoptConfig{Unread: []byte("before "), Exclusive: as == "exclusive file"}
								c, err := sock.Adopt[*sock.Conn](l, s, ac)
								if as == "blocking file" {
									if err == nil || !strings.Contains(err.Error(), "Exclusive") {
										t.Errorf("Adopt: %v", err)
									}
									s.Close()
									return
								}
								if err != nil {
									t.Errorf("Adopt: %v", err)
									return
								}
								defer c.Close()
								if err := s.Close(); err == nil {
									t.Error("the original was still open")
								}
								if c.LocalAddr().Network() != network ||
									c.RemoteAddr().String() != b.LocalAddr().String() {
									t.Errorf("adopted %v of %v, peer %v of %v", c.LocalAddr().Network(), network,
										c.RemoteAddr(), b.LocalAddr())
								}
								if _, err := b.Write([]byte("after")); err != nil {
									t.Error(err)
								}
								p := make([]byte, 20)
								n, err := c.Read(p)
								for err == nil && n < 12 {
									var k int
									k, err = c.Read(p[n:])
									n += k
								}
								if string(p[:n]) != "before after" || err != nil {
									t.Errorf("read %q, %v", p[:n], err)
								}
								c.SetReadDeadline(time.Now().Add(time.Millisecond))
								wantTimeout(t, "Read", read(c)) // and not for ever
								if _, err := c.Write([]byte("back")); err != nil {
									t.Error(err)
								}
								if err := c.Flush(); err != nil { // the task waits otherwise than through Ringo
									t.Error(err)
								}
								if n, err := b.Read(p); string(p[:n]) != "back" || err != nil {
									t.Errorf("the peer read %q, %v", p[:n], err)
								}
								c.Close()
								if _, err := b.Read(p); err != io.EOF {
									t.Errorf("the peer read %v after Close", err)
								}
							})
						})
						if n := descriptors(t, "socket:"); n > before { // fewer: an earlier test's went meanwhile
							t.Errorf("%d sockets, %d before", n, before)
						}
					})
				}
			}
		}
	})
}

// What can't be adopted is as before.
func TestAdoptRefuses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		file, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		raw, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		lone := os.NewFile(uintptr(raw), "socket")
		defer lone.Close()
		a, b := netPair[net.Conn](t, "tcp")
		defer a.Close()
		defer b.Close()
		netlink := socketFile(t, syscall.AF_NETLINK, syscall.SOCK_RAW)
		closed, _ := os.Open("/proc/self/exe")
		closed.Close()
		before := descriptors(t, "socket:")
		onLoop(t, cfg, func(l *ringo.Loop) {
			own, peer := connect(t, l)
			defer peer.Close()
			defer own.Close()
			for name, s := range map[string]io.Closer{
				"UDP": udp.(*net.UDPConn), "a listener": ln, "a file": file, "not connected": lone,
				"TLS":    tls.Client(a, nil),
				"closed": closed, "a Conn": own,
			} {
				_, err := sock.Adopt[*sock.Conn](l, s, nil)
				var oe *net.OpError
				if !errors.As(err, &oe) || oe.Op != "adopt" {
					t.Errorf("%s: %v", name, err)
				}
			}
			for name, s := range map[string]io.Closer{"UDP": udp.(*net.UDPConn), "a connection": a, "a file": file} {
				if _, err := sock.Adopt[*sock.Listener](l, s, nil); err == nil {
					t.Errorf("%s is a listener", name)
				}
			}
			if _, err := sock.Adopt[*sock.Conn](l, netlink, nil); err == nil || !strings.Contains(err.Error(), "Poll") {
				t.Errorf("a socket of netlink: %v", err)
			}
			_, err := sock.Adopt[*sock.Conn](l, file, nil)
			if !errors.Is(err, syscall.ENOTSOCK) {
				t.Errorf("a file: %v", err)
			}
			_, err = sock.Adopt[*sock.Conn](l, lone, &sock.AdoptConfig{Exclusive: true}) // in blocking mode
			flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(raw), syscall.F_GETFL, 0)
			if err == nil || flags&syscall.O_NONBLOCK != 0 {
				t.Errorf("not connected, to have for itself: %v, flags %#x", err, flags)
			}
		})
		if n := descriptors(t, "socket:"); n != before {
			t.Errorf("%d sockets, %d before", n, before)
		}
		if _, err := a.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}

func TestAdoptListener(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for _, as := range []string{"listener", "file", "blocking file", "exclusive file"} {
				t.Run(network+"/"+as, func(t *testing.T) {
					addr := "127.0.0.1:0"
					if network != "tcp" {
						addr = socketPath(t)
					}
					orig, err := net.Listen(network, addr)
					if err != nil {
						t.Fatal(err)
					}
					addr = orig.Addr().String()
					var s io.Closer = orig
					if as != "listener" {
						s = asFile(t, orig, as != "file")
					}
					defer s.Close()
					onLoop(t, cfg, func(l *ringo.Loop) {
						ac := &sock.AdoptConfig{Exclusive: as == "exclusive file"}
						ln, err := sock.Adopt[*sock.Listener](l, s, ac)
						if as == "blocking file" {
							if err == nil || !strings.Contains(err.Error(), "Exclusive") {
								t.Errorf("a listener in blocking mode: %v", err)
							}
							return
						}
						if err != nil {
							t.Fatal(err)
						}
						defer ln.Close()
						waiting := l.Go(func() {
							for range 2 {
								c, err := ln.AcceptConn()
								if err != nil {
									t.Error(err)
									return
								}
								io.Copy(c, c)
								c.Close()
							}
						})
						onGoroutine(t, l, func() {
							for range 2 {
								peer, err := net.Dial(network, addr)
								if err != nil {
									t.Error(err)
									return
								}
								peer.SetDeadline(patience.Deadline())
								p := make([]byte, 5)
								peer.Write([]byte("hello"))
								if _, err := io.ReadFull(peer, p); err != nil || string(p) != "hello" {
									t.Errorf("the peer read %q, %v", p, err)
								}
								peer.Close()
							}
						})
						waiting.Wait()
					})
				})
			}
		}
	})
}

// All loops accept from one inherited socket.
func TestAdoptSet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			before := descriptors(t, "socket:")
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = socketPath(t)
			}
			ln, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			addr = ln.Addr().String()
			set, err := sock.AdoptSet(ln, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Addr(); got.String() != addr || got.Network() != network {
				t.Errorf("the set's address is %v, want %s", got, addr)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				done <- socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
					ln, err := set.Listen(l)
					if err != nil {
						return err
					}
					return perConn(func(c *sock.Conn) { io.Copy(c, c) })(l, ln)
				})
			}()
			for range 20 {
				peer, err := net.Dial(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				peer.SetDeadline(patience.Deadline())
				peer.Write([]byte("hello"))
				p := make([]byte, 5)
				if _, err := io.ReadFull(peer, p); err != nil || string(p) != "hello" {
					t.Errorf("the peer read %q, %v", p, err)
				}
				peer.Close()
			}
			cancel()
			patience.Within(t.Name(), func() { err = <-done })
			if err != nil {
				t.Error(err)
			}
			set.Close()
			if n := descriptors(t, "socket:"); n != before {
				t.Errorf("%s: %d sockets, %d before", network, n, before)
			}
			if _, err := sock.AdoptSet(ln, nil); err == nil {
				t.Error("a closed listener was adopted")
			}
		}
	})
}

// A set's socket goes on by its File where the set has ended: peers that wait are served by who adopts it, with the
// options that this one asks for. What the loops have for themselves can't go on so.
func TestSetPassedOn(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = socketPath(t)
			}
			set, err := (&sock.ListenConfig{OneSocket: true, Backlog: 7}).Reserve(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			addr = set.Addr().String()
			f, err := set.File()
			if err != nil {
				t.Fatal(err)
			}
			set.SetUnlinkOnClose(false)
			var peers []net.Conn
			dialOne := func() {
				peer, err := net.Dial(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { peer.Close() })
				peers = append(peers, peer)
			}
			serve := func(set *sock.ListenerSet, number string) {
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					done <- sock.ServeSets(ctx, &cfg, []*sock.ListenerSet{set}, func(c *sock.Conn) {
						c.Write([]byte(number))
					})
				}()
				patience.Within(t.Name(), func() {
					for _, peer := range peers {
						if got, err := io.ReadAll(peer); string(got) != number {
							t.Errorf("the peer read %q, %v, want %s", got, err, number)
						}
					}
					cancel()
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
				peers = nil
				if _, err := set.File(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the File of a set that has ended: %v", err)
				}
			}
			dialOne()
			serve(set, "1")
			dialOne() // nobody accepts
			again := &sock.ListenConfig{Backlog: 9}
			if network == "tcp" {
				again.DeferAccept, again.KeepAlive, again.FastOpen = time.Hour, -1, 3
			}
			set, err = again.AdoptSet(f)
			if err != nil {
				t.Fatal(err)
			}
			if f, err = set.File(); err != nil {
				t.Fatal(err)
			}
			if network == "tcp" {
				wantOptions(t, f, map[[2]int]int{{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE}: 0,
					{syscall.IPPROTO_TCP, tcpFastOpen}: 3})
				// How long it defers is counted in retransmissions, of which an hour has more than none.
				if n, err := getInt(f, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT); n < 600 || err != nil {
					t.Errorf("it defers %d, %v", n, err)
				}
				set.Close()
				if set, err = new(sock.ListenConfig).AdoptSet(f); err != nil {
					t.Fatal(err)
				}
				if f, err = set.File(); err != nil {
					t.Fatal(err)
				}
				wantOptions(t, f, map[[2]int]int{{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE}: 1,
					{syscall.IPPROTO_TCP, tcpFastOpen}: 0, {syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT}: 0})
			}
			f.Close()
			dialOne()
			set.SetUnlinkOnClose(true)
			serve(set, "2")
			if _, err := os.Stat(addr); network == "unix" && err == nil {
				t.Error("the file is left")
			}
		}
		if _, err := (&sock.ListenConfig{Backlog: -1}).AdoptSet(listenNet(t)); err == nil {
			t.Error("a backlog of -1 was adopted")
		}
	})
	for name, set := range map[string]*sock.ListenerSet{"zero": new(sock.ListenerSet), "of several": reserved(t)} {
		if f, err := set.File(); f != nil || err == nil || name != "zero" && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the File of a set, %s: %v", name, err)
		}
		set.SetUnlinkOnClose(true) // of a file that there is not
	}
}

// A loop that comes late to a set whose Run drains makes no socket in the place of the one that has closed: the address
// may be a successor's.
func TestSetPassedOnLate(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = socketPath(t)
			}
			set, err := (&sock.ListenConfig{OneSocket: true}).Reserve(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			ctx, cancel := context.WithCancel(t.Context())
			closed := make(chan bool)
			err = socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
				if l.Index() > 0 {
					awaitIn(l, closed)
					ln, err := set.Listen(l)
					if err == nil {
						ln.Close()
					}
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("%s: Listen behind the end of the others: %v", network, err)
					}
					return nil
				}
				ln, err := set.Listen(l)
				if err != nil {
					return err
				}
				cancel()
				_, err = ln.AcceptConn()
				ln.Close() // waits until it is
				close(closed)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

const tcpFastOpen = 23 // TCP_FASTOPEN, tcp(7)

// listenNet is a listener of package net's.
func listenNet(t *testing.T) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// reserved is a set of which each loop has a socket.
func reserved(t *testing.T) *sock.ListenerSet {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

func getInt(f syscall.Conn, level, option int) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if bad := raw.Control(func(fd uintptr) { n, err = syscall.GetsockoptInt(int(fd), level, option) }); bad != nil {
		return 0, bad
	}
	return n, err
}

// wantOptions looks at options of a socket, by level and name.
func wantOptions(t *testing.T, f syscall.Conn, want map[[2]int]int) {
	t.Helper()
	for option, want := range want {
		if n, err := getInt(f, option[0], option[1]); n != want || err != nil {
			t.Errorf("option %v is %d, %v, want %d", option, n, err, want)
		}
	}
}

// A set of a socket from elsewhere is over when its listeners have closed: its address is
// not the program's to listen on anew.
func TestAdoptSetEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix"} {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = socketPath(t)
			}
			original, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			set, err := sock.AdoptSet(original, nil)
			if err != nil {
				t.Fatal(err)
			}
			onLoop(t, cfg, func(l *ringo.Loop) {
				ln, err := set.Listen(l)
				if err != nil {
					t.Fatal(err)
				}
				ln.Close()
				if _, err := set.Listen(l); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: listening again gives %v", network, err)
				}
			})
		}
	})
}

// Behind its Close what DetachConn gives returns net.ErrClosed, as a connection of package net does, and none of the
// bytes that it still has.
func TestDetachConnClosed(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "unread")
			if _, err := c.Peek(6); err != nil {
				t.Fatal(err)
			}
			conn, err := c.DetachConn()
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			p := make([]byte, 3)
			if n, err := conn.Read(p); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read = %d, %v", n, err)
			}
			var got bytes.Buffer
			if n, err := io.Copy(&got, conn); n != 0 || got.Len() != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("io.Copy = %d, %v", n, err)
			}
		})
	})
}
