//go:build linux

package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// Writes of several pieces end in net.ErrClosed, and not in the error of a descriptor that is gone,
// also if the connection ends in the turn in which one piece has gone out whole.
func TestClosedBetweenPieces(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1000)
	writes := map[string]func(l *ringo.Loop, c *sock.Conn) error{
		"WriteV": func(_ *ringo.Loop, c *sock.Conn) error {
			_, err := c.WriteV([][]byte{piece, piece, piece})
			return err
		},
		"SendFile": func(_ *ringo.Loop, c *sock.Conn) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = c.SendFile(piece, f, 0, 1000)
			return err
		},
		"ReadFrom a file": func(_ *ringo.Loop, c *sock.Conn) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = c.ReadFrom(f)
			return err
		},
		"Copy": func(l *ringo.Loop, c *sock.Conn) error { // by splice
			src, peer := connect(t, l)
			defer src.Close()
			defer peer.Close()
			go func() {
				for p := make([]byte, 1<<20); ; {
					if _, err := peer.Write(p); err != nil {
						return
					}
				}
			}()
			_, err := io.Copy(c, src)
			return err
		},
	}
	ends := map[string]func(c *sock.Conn, other *ringo.Loop) error{
		"Close": func(c *sock.Conn, _ *ringo.Loop) error { return c.Close() },
		"Detach": func(c *sock.Conn, _ *ringo.Loop) error {
			n, _, err := c.Detach()
			if err == nil {
				err = syscall.Close(n)
			}
			return err
		},
		"MoveTo": func(c *sock.Conn, other *ringo.Loop) error {
			moved, err := c.MoveTo(other)
			if err == nil {
				err = moved.Close()
			}
			return err
		},
	}
	most := 4
	if testmain.Long() {
		most = 8
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for what, write := range writes {
			onLoop(t, cfg, func(l *ringo.Loop) {
				withLoop(t, l, cfg, func(other *ringo.Loop) {
					for how, end := range ends {
						for turns := range most {
							c, peer := connect(t, l)
							if err := errors.Join(c.SetWriteBuffer(1<<16), peer.SetReadBuffer(1<<16)); err != nil {
								t.Fatal(err)
							}
							room := 0
							if what != "Copy" {
								room = fill(t, l, c)
							}
							var err error
							writing := l.Go(func() { err = write(l, c) })
							if what == "Copy" {
								// How much that is depends on the pieces in which it comes.
								eventuallyOn(t, l, "a full socket", func() bool {
									was := room
									room = queued(t, peer, unix.TIOCINQ)
									return room > 0 && room == was && queued(t, c, unix.TIOCOUTQ) > 0
								})
								room = min(room, 50_000) // less than a pipe has
							}
							for quiet, last := 0, uint64(0); quiet < 10; quiet++ { // until it waits for room
								if pause(l); l.Stats().Parks != last+1 {
									quiet = 0
								}
								last = l.Stats().Parks
							}
							// The loop waits for the peer: what is told of the room comes in the turns that follow.
							if _, err := io.ReadFull(peer, make([]byte, room)); err != nil {
								t.Fatal(err)
							}
							for range turns {
								l.Sleep(0)
							}
							go io.Copy(io.Discard, peer) // Detach waits for what was accepted
							if err := end(c, other); err != nil {
								t.Fatal(err)
							}
							writing.Wait()
							peer.Close()
							if err != nil && !errors.Is(err, net.ErrClosed) || what == "Copy" && err == nil {
								t.Errorf("%s, %s after %d turns: %v", what, how, turns, err)
							}
						}
					}
				})
			})
		}
	})
}

// queued is how many bytes a socket has in a queue of the kernel's.
func queued(t *testing.T, c syscall.Conn, queue uint) int { return inQueue(t, number(c), queue) }

// inQueue is queued of a descriptor, which moves none of the bytes that wait in front of the queue.
func inQueue(t *testing.T, fd int, queue uint) int {
	t.Helper()
	n, err := unix.IoctlGetInt(fd, queue)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A close with linger 0 resets.
func TestNetLingerZero(t *testing.T) {
	eachSubject(t, func(s *subject) {
		s.must("SetLinger", s.act(func() error { return s.c.SetLinger(0) }))
		s.must("Close", s.waits(s.c.Close))
		err := s.offloaded(func() error { _, err := s.peer.Read(make([]byte, 1)); return err })
		if !errors.Is(err, syscall.ECONNRESET) {
			s.Errorf("the peer reads %v, want ECONNRESET", err)
		}
	})
}

// Who gets no socket for want of descriptors is told what to raise.
func TestNoDescriptorForSocket(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var reserve, listen, dial error
			withoutDescriptors(t, func() {
				_, reserve = sock.Reserve("tcp", "127.0.0.1:0")
				_, listen = sock.Listen(l, "tcp", "127.0.0.1:0")
				_, dial = sock.Dial(l, "tcp", set.Addr().String())
			})
			for what, err := range map[string]error{"Reserve": reserve, "Listen": listen, "Dial": dial} {
				if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "raise RLIMIT_NOFILE") {
					t.Errorf("%s: %v; want EMFILE and what to raise", what, err)
				}
			}
		})
	})
}

// withoutDescriptors runs f while the process may open no more. Loops that run meanwhile are unwatched.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	free, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(free)
	none := lim
	none.Cur = uint64(free)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	f()
}

// unwatched is a configuration of loops that nobody looks at who opens files: a watch that has a file of /proc open
// when descriptors run out closes it later, and whoever was to find none gets that one.
func unwatched(cfg ringo.Config) ringo.Config {
	cfg.StallLimit, cfg.HoldLimit = -1, -1
	return cfg
}

// select watches low descriptors only. Whoever needs a higher one is told so, and
// what to do; who has a low one is served.
func TestBeyondSelect(t *testing.T) {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "select" {
		t.Skipf("this is about select, and RINGO_DRIVER is %s", forced)
	}
	const bound = 1024
	testmain.NeedDescriptors(t, bound+100)
	cfg := ringo.Config{Driver: "select", Loops: 1}
	pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
		defer testmain.Occupy(t, bound)()
		refused := func(what string, err error) {
			if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "FD_SETSIZE") {
				t.Errorf("%s: %v; want EMFILE, and the bound named", what, err)
			}
		}
		_, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		refused("Listen", err)
		_, err = sock.Dial(l, "tcp", c.LocalAddr().String())
		refused("Dial", err)
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		_, err = set.Listen(l)
		refused("ListenerSet.Listen", err)

		if _, err := peer.Write([]byte("served")); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 6)
		if _, err := io.ReadFull(c, p); err != nil || string(p) != "served" {
			t.Errorf("Read of a low descriptor = %q, %v", p, err)
		}
	})
}

func init() { children["goroutines"] = goroutinesChild }

// goroutinesChild is an echo server of goroutines with few descriptors: it says its address, and then, whenever it
// is asked, how many accepts it has put off.
func goroutinesChild() int {
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cfg := &ringo.Config{Driver: os.Getenv("RINGO_SOCK_DRIVER"), Loops: 1, Grace: time.Second}
	if err == nil {
		err = ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			fmt.Println(ln.Addr())
			go func() {
				defer stop()
				for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
					fmt.Println(l.Stats().Backoffs)
				}
			}()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						p := make([]byte, 64)
						for {
							n, err := c.Read(p)
							if err == io.EOF || errors.Is(err, net.ErrClosed) {
								return
							}
							if err == nil {
								_, err = c.Write(p[:n])
							}
							if err != nil {
								fmt.Fprintln(os.Stderr, "a goroutine's connection:", err)
								return
							}
						}
					}()
				}
			}()
			return l.Sleep(time.Hour)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Peers that are idle while a server of goroutines runs out of descriptors are all served when they speak, those that
// were accepted last among them: for a duplicate to wait by there was none left.
func TestGoroutinesShortOfDescriptors(t *testing.T) {
	testmain.NeedDescriptors(t, 300)
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		c := startChild(t, "goroutines", "RINGO_SOCK_DRIVER="+cfg.Driver)
		addr := c.line()
		peers := make([]net.Conn, 200)
		for i := range peers {
			peers[i] = dial(t, addr)
			defer peers[i].Close()
		}
		eventually(t, "the server runs out of descriptors", func() bool {
			n, err := strconv.Atoi(c.ask("backoffs"))
			if err != nil {
				t.Fatal(err)
			}
			return n > 0
		})
		ended := 0
		for i, peer := range peers {
			word := fmt.Sprint("peer ", i)
			answer := make([]byte, len(word))
			fmt.Fprint(peer, word)
			if _, err := io.ReadFull(peer, answer); err != nil || string(answer) != word {
				ended++
				t.Logf("peer %d: %q, %v", i, answer, err)
			}
			peer.Close()
		}
		if ended > 0 {
			t.Errorf("%d of %d idle peers were ended", ended, len(peers))
		}
	})
}

// What ends the wait of a goroutine, or of a task of another loop, that has no descriptor to wait by.
func TestWaitsShortOfDescriptors(t *testing.T) {
	read := func(c *sock.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	fill := func(c *sock.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err }
	raw := func(c *sock.Conn) error {
		rc, err := c.SyscallConn()
		if err != nil {
			return err
		}
		return rc.Read(func(fd uintptr) bool {
			n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_DONTWAIT)
			return n > 0 || err != syscall.EAGAIN
		})
	}
	var none error
	cases := []struct {
		name string
		call func(c *sock.Conn) error
		end  func(c *sock.Conn, peer tcpPeer, stop func())
		want error
	}{
		{"bytes", read, func(_ *sock.Conn, peer tcpPeer, _ func()) { peer.Write([]byte("x")) }, none},
		{"bytes for a raw read", raw, func(_ *sock.Conn, peer tcpPeer, _ func()) {
			peer.Write([]byte("x"))
		}, none},
		{"the peer's end", read, func(_ *sock.Conn, peer tcpPeer, _ func()) { peer.CloseWrite() }, io.EOF},
		{"a deadline", read, func(c *sock.Conn, _ tcpPeer, _ func()) {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}, os.ErrDeadlineExceeded},
		{"a deadline that is moved", read, func(c *sock.Conn, _ tcpPeer, _ func()) {
			c.SetReadDeadline(time.Now().Add(time.Hour))
			c.SetReadDeadline(time.Now().Add(-time.Hour))
		}, os.ErrDeadlineExceeded},
		{"a deadline that a task sets", read, func(c *sock.Conn, _ tcpPeer, _ func()) {
			c.Loop().Go(func() { c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) }).Wait()
		}, os.ErrDeadlineExceeded},
		{"Close", read, func(c *sock.Conn, _ tcpPeer, _ func()) { c.Close() }, net.ErrClosed},
		{"Close by a task", read, func(c *sock.Conn, _ tcpPeer, _ func()) {
			c.Loop().Go(func() { c.Close() }).Wait()
		}, net.ErrClosed},
		{"room", fill, func(_ *sock.Conn, peer tcpPeer, _ func()) { go io.Copy(io.Discard, peer) }, none},
		{"a write deadline", fill, func(c *sock.Conn, _ tcpPeer, _ func()) {
			c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		}, os.ErrDeadlineExceeded},
		{"Close of a writer", fill, func(c *sock.Conn, _ tcpPeer, _ func()) { c.Close() }, net.ErrClosed},
		{"a cancel", read, func(_ *sock.Conn, peer tcpPeer, stop func()) { stop() }, context.Canceled},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, caller := range []string{"goroutine", "a task of another loop"} {
			for _, test := range cases {
				if test.want == context.Canceled && caller == "goroutine" {
					continue
				}
				t.Run(caller+"/"+test.name, func(t *testing.T) {
					waitsShort(t, cfg, caller == "goroutine", test.call, test.end, test.want)
				})
			}
		}
	})
}

func waitsShort(t *testing.T, cfg ringo.Config, alone bool, call func(*sock.Conn) error,
	end func(*sock.Conn, tcpPeer, func()), want error) {
	cfg = unwatched(cfg)
	detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
		c, peer := next()
		defer peer.Close()
		defer c.Close()
		other := make(chan *ringo.Loop, 1)
		over := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
				other <- l
				return awaitIn(l, over)
			})
		}()
		o, before := <-other, slots(l)
		withoutDescriptors(t, func() {
			result := make(chan error, 1)
			stop := func() {}
			if alone {
				go func() { result <- call(c) }()
			} else {
				task := o.Go(func() { result <- call(c) })
				stop = task.Cancel
			}
			eventually(t, "it waits by the loop", func() bool {
				return slots(l) > before || len(result) > 0 || waitsByNetpoller("sock_test.waitsShort")
			})
			end(c, peer, stop)
			patience.Within(t.Name(), func() {
				if err := <-result; !errors.Is(err, want) {
					t.Errorf("%v; want %v", err, want)
				}
			})
		})
		close(over)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// waitsByNetpoller reports whether a goroutine that a function has started waits by Go's netpoller: it has found a
// descriptor, which something else has closed behind the look that found none.
func waitsByNetpoller(started string) bool {
	for stack := range strings.SplitSeq(patience.Stacks(), "\n\n") {
		if strings.Contains(stack, "internal/poll.runtime_pollWait") && strings.Contains(stack, started+".") {
			return true
		}
	}
	return false
}

// slots is how many ops the loop has.
func slots(l *ringo.Loop) (n int) {
	l.Go(func() { n = l.Stats().Slots }).Wait()
	return n
}

// A loop that ends under goroutines that wait by it for want of descriptors tells them.
func TestLoopEndsUnderWaitsShortOfDescriptors(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		result := make(chan error, 2)
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			ln := listen(t, l)
			offloaded(t, l, func() error {
				peer := dial(t, ln.Addr().String())
				t.Cleanup(func() { peer.Close() })
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				before := slots(l)
				withoutDescriptors(t, func() {
					go func() { _, err := c.Read(make([]byte, 1)); result <- err }()
					go func() { _, err := c.Write(make([]byte, 64<<20)); result <- err }()
					eventually(t, "they wait by the loop", func() bool {
						return slots(l) == before+2 || len(result) > 0
					})
				})
				return nil
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		patience.Within(t.Name(), func() {
			for range 2 {
				if err := <-result; !errors.Is(err, net.ErrClosed) {
					t.Errorf("%v; want net.ErrClosed", err)
				}
			}
		})
	})
}

// Goroutines wait for datagrams without a descriptor to wait by, too.
func TestDatagramsShortOfDescriptors(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		onLoop(t, cfg, func(l *ringo.Loop) {
			offloaded(t, l, func() error {
				c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer c.Close()
				peer, err := net.Dial("udp", c.LocalAddr().String())
				if err != nil {
					return err
				}
				defer peer.Close()
				before, result := slots(l), make(chan error, 1)
				withoutDescriptors(t, func() {
					for _, want := range []error{nil, net.ErrClosed} {
						go func() { _, _, err := c.ReadFrom(make([]byte, 1)); result <- err }()
						eventually(t, "it waits by the loop", func() bool {
							return slots(l) > before || len(result) > 0
						})
						if want == nil {
							peer.Write([]byte("x"))
						} else {
							c.Close()
						}
						if err := <-result; !errors.Is(err, want) {
							t.Errorf("%v; want %v", err, want)
						}
					}
				})
				return nil
			})
		})
	})
}

// A receive that fails for want of memory is an error once: the next one has the bytes, whoever makes it.
func TestShortageIsToldOnce(t *testing.T) {
	calls := map[string]func(c *sock.Conn, p []byte) (int, error){
		"Read": (*sock.Conn).Read,
		"ReadV": func(c *sock.Conn, p []byte) (int, error) {
			n, err := c.ReadV([][]byte{p[:2], p[2:]})
			return int(n), err
		},
		"Peek": func(c *sock.Conn, p []byte) (int, error) {
			q, err := c.Peek(len(p))
			return copy(p, q), err
		},
		"Next": func(c *sock.Conn, p []byte) (int, error) {
			b, err := c.Next()
			if err != nil {
				return 0, err
			}
			defer b.Release()
			return copy(p, b.Bytes()), nil
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				eachCallers(t, func(t *testing.T, first, next byEach) {
					s := new(spoiler)
					spoiled(t, cfg, s, func(l *ringo.Loop) {
						c, peer := connect(t, l)
						defer peer.Close()
						defer c.Close()
						s.fail(posix.ENOMEM, 1, op.Recv, op.Recvmsg)
						send(t, peer, "hello")
						p := make([]byte, 5)
						if err := first.run(l, func() error {
							n, err := call(c, p)
							return is("the first", p[:n], err, nil, posix.ENOMEM)
						})(); err != nil {
							t.Error(err)
						}
						if err := next.run(l, func() error {
							n, err := call(c, p)
							return is("the next", p[:n], err, []byte("hello"), nil)
						})(); err != nil {
							t.Error(err)
						}
					})
				})
			})
		}
	})
}

// A copy that can't splice goes on without, whatever the splice failed of.
func TestCopyGoesOnWithoutSplices(t *testing.T) {
	const chunk = 1 << 20
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, err := range map[string]posix.Errno{"ENOMEM": posix.ENOMEM, "EINVAL": posix.EINVAL} {
			for _, by := range callers {
				t.Run(name+"/"+by.name, func(t *testing.T) {
					s := new(spoiler)
					spoiled(t, cfg, s, func(l *ringo.Loop) {
						src, in := connect(t, l)
						dst, out := connect(t, l)
						for _, c := range []io.Closer{src, in, dst, out} {
							defer c.Close()
						}
						src.SetReadBuffer(chunk) // which is full, since little goes out at once
						dst.SetWriteBuffer(chunk / 16)
						out.SetReadBuffer(chunk / 16)
						s.fail(err, 1<<30, op.SpliceIn)
						var copied int64
						copying := by.run(l, func() (err error) {
							copied, err = io.Copy(dst, src)
							return errors.Join(err, dst.CloseWrite())
						})
						sent := make(chan int, 1)
						go func() { // until a splice was tried, and some more
							at, p := 0, make([]byte, chunk)
							for tried := false; !tried; at += chunk {
								tried = s.faults.failed.Load() > 0
								pattern(p, at)
								if _, err := in.Write(p); err != nil {
									break
								}
							}
							in.CloseWrite()
							sent <- at
						}()
						got := 0
						offloaded(t, l, func() error {
							for p := make([]byte, chunk); ; {
								n, err := out.Read(p)
								if bad := mismatch(p[:n], got); bad >= 0 {
									t.Errorf("wrong byte at %d", bad)
								}
								if got += n; err == io.EOF {
									return nil
								} else if err != nil {
									return err
								}
							}
						})
						if err := copying(); err != nil {
							t.Error(err)
						}
						src.Close() // and who sends is told, if the copy has failed
						offloaded(t, l, func() error {
							if n := <-sent; n != got || int(copied) != n {
								t.Errorf("%d bytes were sent, %d copied, %d came", n, copied, got)
							}
							return nil
						})
					})
				})
			}
		}
	})
}
