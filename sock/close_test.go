package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// readings are the calls that wait for bytes.
var readings = map[string]func(c *sock.Conn) error{
	"Read":    func(c *sock.Conn) error { return read(c) },
	"Next":    func(c *sock.Conn) error { _, err := c.Next(); return err },
	"Peek":    func(c *sock.Conn) error { _, err := c.Peek(5); return err },
	"Discard": func(c *sock.Conn) error { _, err := c.Discard(5); return err },
	"WriteTo": func(c *sock.Conn) error { _, err := c.WriteTo(io.Discard); return err },
}

// A close with a receive pending in the kernel must send the FIN: a plain close(2)
// under a receive of a ring does not.
func TestCloseWhileReading(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range readings {
			t.Run(name, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					var errs [3]error
					var tasks []*ringo.Task
					for i := range errs { // one waits for bytes, the others for their turn
						tasks = append(tasks, l.Go(func() { errs[i] = wait(c) }))
					}
					others(l)
					if err := c.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					wantPeerEOF(t, l, peer)
					for i, task := range tasks {
						task.Wait()
						wantClosed(t, name, errs[i])
					}
				})
			})
		}
	})
}

func TestCloseTwice(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			l.Go(func() { wantClosed(t, "Read", read(c)) })
			others(l)
			first := l.Go(func() { c.Close() })
			second := l.Go(func() { c.Close() })
			c.Close()
			first.Wait()
			second.Wait()
			wantClosed(t, "Close again", c.Close())
			wantPeerEOF(t, l, peer)
		})
	})
}

// The writers that wait are told, and what went out before arrives.
func TestCloseWhileWriting(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			msg := make([]byte, 16<<20)
			pattern(msg, 0)
			var n int
			var err, queuedErr error
			task := l.Go(func() { n, err = c.Write(msg) })
			queued := l.Go(func() { _, queuedErr = c.Write([]byte("never")) })
			others(l)
			c.Close()
			task.Wait()
			queued.Wait()
			wantClosed(t, "Write", err)
			wantClosed(t, "a queued Write", queuedErr)
			var got []byte
			offloaded(t, l, func() (err error) { got, err = io.ReadAll(peer); return err })
			if n == 0 || !bytes.Equal(got, msg[:n]) {
				t.Errorf("the peer got %d bytes, Write said %d", len(got), n)
			}
		})
	})
}

func TestUseAfterClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "unread")
			if _, err := c.Peek(6); err != nil {
				t.Fatal(err)
			}
			local, remote := c.LocalAddr().String(), c.RemoteAddr().String()
			c.Close()
			_, nextErr := c.Next()
			_, peekErr := c.Peek(1)
			_, peekNothing := c.Peek(0)
			_, discardErr := c.Discard(1)
			_, fromErr := c.ReadFrom(bytes.NewReader([]byte("x")))
			_, toErr := c.WriteTo(io.Discard)
			for what, err := range map[string]error{
				"Read": read(c), "Write": write(c), "Next": nextErr, "Peek": peekErr,
				"Peek(0)": peekNothing, "Discard": discardErr, "ReadFrom": fromErr, "WriteTo": toErr,
				"CloseRead": c.CloseRead(), "CloseWrite": c.CloseWrite(), "SetDeadline": c.SetDeadline(never),
				"SetReadDeadline": c.SetReadDeadline(never), "SetWriteDeadline": c.SetWriteDeadline(never),
				"SetNoDelay": c.SetNoDelay(true), "SetLinger": c.SetLinger(0), "SetReadBuffer": c.SetReadBuffer(4096),
				"SetWriteBuffer": c.SetWriteBuffer(4096), "SetKeepAlive": c.SetKeepAlive(true),
				"SetKeepAliveConfig": c.SetKeepAliveConfig(net.KeepAliveConfig{}),
				"SetKeepAlivePeriod": c.SetKeepAlivePeriod(time.Second), "SetOptions": c.SetOptions(sock.Options{}),
				"Options": second(c.Options()),
			} {
				wantClosed(t, what, err)
			}
			if n := c.Buffered(); n != 0 {
				t.Errorf("Buffered() = %d", n)
			}
			if c.LocalAddr().String() != local || c.RemoteAddr().String() != remote || c.Loop() != l {
				t.Error("the addresses or the loop are gone")
			}
		})
	})
}

// Nothing done to a closed connection reaches the one that got its descriptor's
// number.
func TestClosedConnHitsNoStranger(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var old []*sock.Conn
			for range 20 {
				c, peer := accept(t, ln)
				c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
				l.Go(func() { read(c) }) // arms a timer and a receive
				others(l)
				c.Close()
				peer.Close()
				old = append(old, c)
			}
			c, peer := accept(t, ln)
			defer peer.Close()
			defer c.Close()
			for _, o := range old {
				o.SetDeadline(longAgo)
				o.CloseWrite()
				o.SetLinger(0)
				o.Close()
			}
			wait := reader(l, c)
			l.Sleep(20 * time.Millisecond) // the old deadlines pass
			send(t, peer, "mine")
			if got, err := wait(); got != "mine" || err != nil {
				t.Errorf("Read() = %q, %v", got, err)
			}
			c.Write([]byte("still open"))
			wantPeer(t, l, peer, "still open")
		})
	})
}

// What a Run leaves open it closes: peers see the end, and nothing leaks.
func TestRunClosesWhatIsOpen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var peers []tcpPeer
		defer func() {
			for _, p := range peers {
				p.Close()
			}
		}()
		patience.Within(t.Name(), func() {
			err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
				ln := listen(t, l)
				for i := range 10 {
					c, peer := accept(t, ln)
					peers = append(peers, peer)
					if i%2 == 0 {
						c.SetReadDeadline(time.Now().Add(time.Microsecond))
						read(c) // leaves a receive in flight
					}
					if i == 3 {
						c.SetLinger(20)
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("Run: %v", err)
			}
			for i, peer := range peers {
				if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("peer %d: Read() = %d, %v, want the end of the stream", i, n, err)
				}
			}
		})
	})
}

// closers are those who close, other than tasks of the connection's loop.
var closers = map[string]func(t *testing.T, cfg ringo.Config, f func()){
	"goroutine": func(_ *testing.T, _ ringo.Config, f func()) { f() },
	"task of another loop": func(t *testing.T, cfg ringo.Config, f func()) {
		err := socktest.RunLoops(t, context.Background(), &cfg, func(*ringo.Loop) error { f(); return nil })
		if err != nil {
			t.Error(err)
		}
	},
}

// A Close that waits for the peer, since the connection lingers, returns when the peer has read, although the
// connection's loop has ended meanwhile: those who wait in it are told by whoever closes the descriptor.
func TestCloseThatLingersOutlivesItsLoop(t *testing.T) {
	type lingering struct {
		c    *sock.Conn
		peer tcpPeer
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range closers {
			t.Run(who, func(t *testing.T) {
				made, over, ended := make(chan lingering), make(chan struct{}), make(chan error, 1)
				go func() {
					ended <- socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
						c, peer := connect(t, l)
						fill(t, l, c)
						if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
							t.Error(err)
						}
						made <- lingering{c, peer}
						return awaitIn(l, over)
					})
				}()
				it := <-made
				defer it.peer.Close()
				closed := make(chan error, 2)
				go func() {
					as(t, cfg, func() { closed <- it.c.Close() })
					closed <- nil // and the closer has ended
				}()
				awaitStack(t, "handle.CloseLingering.func1(")
				close(over)
				patience.Within(t.Name()+": the end of the loop", func() {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
				select {
				case err := <-closed:
					t.Fatalf("Close did not wait for the peer: %v", err)
				default:
				}
				go io.Copy(io.Discard, it.peer)
				patience.Within(t.Name()+": the close", func() {
					for range 2 {
						if err := <-closed; err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	})
}

// A second Close, of whatever caller, waits until the descriptor is closed, as the first one does.
func TestSecondCloseWaitsToo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range closers {
			t.Run(who, func(t *testing.T) {
				err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
					c, peer := connect(t, l)
					defer peer.Close()
					fill(t, l, c)
					if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
						t.Error(err)
					}
					first, second := make(chan error, 1), make(chan error, 1)
					l.Go(func() { first <- c.Close() })
					return l.Offload(func(context.Context) error {
						awaitStack(t, "handle.CloseLingering.func1(")
						go as(t, cfg, func() { second <- c.Close() })
						for len(second) == 0 && !onStack("loop.(*Task).WaitAsClient(") {
							runtime.Gosched()
						}
						if len(second) > 0 {
							t.Error("the second Close returned before the descriptor was closed")
						}
						go io.Copy(io.Discard, peer)
						err := <-first
						wantClosed(t, "the second Close", <-second)
						return err
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// The end of a loop waits for no peer, whatever Close would wait for, and what was written is still sent.
func TestLoopEndsWithoutLingering(t *testing.T) {
	owners := map[string]func(l *ringo.Loop, f func()){
		"attached": func(_ *ringo.Loop, f func()) { f() },
		"detached": func(l *ringo.Loop, f func()) { l.Offload(func(context.Context) error { f(); return nil }) },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, as := range owners {
			t.Run(name, func(t *testing.T) {
				var peer net.Conn
				written := 0
				patience.Within(t.Name()+": the end of the loop", func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						ln, err := net.Listen("tcp", "127.0.0.1:0")
						if err != nil {
							return err
						}
						defer ln.Close()
						as(l, func() {
							c, err := sock.Dial(l, "tcp", ln.Addr().String())
							if err == nil {
								err = c.SetLinger(3600)
							}
							for err == nil {
								var n int
								c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
								n, err = c.Write(make([]byte, 1<<20))
								written += n
							}
							if !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Error(err)
							}
						})
						return l.Offload(func(context.Context) (err error) {
							peer, err = ln.Accept()
							return err
						})
					})
					if err != nil {
						t.Error(err)
					}
				})
				defer peer.Close()
				if n, err := io.Copy(io.Discard, peer); int(n) != written || err != nil {
					t.Errorf("the peer got %d bytes, then %v; %d were written", n, err, written)
				}
			})
		}
	})
}

// Close lets tasks go that wait for their turn, also behind one that is in code of the user's.
func TestCloseBehindSlowWriter(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			writes, release := ringo.NewChan[bool](0), ringo.NewChan[bool](0)
			first := l.Go(func() {
				c.WriteTo(writerFunc(func(p []byte) (int, error) {
					writes.Send(true)
					release.Recv()
					return len(p), nil
				}))
			})
			send(t, peer, "x")
			writes.Recv()
			errs := map[string]error{}
			var queued []*ringo.Task
			for name, wait := range readings {
				queued = append(queued, l.Go(func() { errs[name] = wait(c) }))
			}
			others(l)
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			patience.Within(t.Name()+": those in the queue", func() {
				for _, task := range queued {
					task.Wait()
				}
			})
			for name, err := range errs {
				wantClosed(t, name, err)
			}
			release.Send(true)
			first.Wait()
		})
	})
}

// Goroutines close connections that only they have used without the loop's help.
func TestDetachedCloseWithoutTheLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const conns = 100
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			var ours []*sock.Conn
			var peers []tcpPeer
			for range conns {
				c, peer := next()
				ours, peers = append(ours, c), append(peers, peer)
			}
			turns := func() (n uint64) {
				if err := l.Go(func() { n = l.Stats().Turns }).Wait(); err != nil {
					t.Error(err)
				}
				return n
			}
			before := turns()
			for _, c := range ours {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				wantClosed(t, "Close again", c.Close())
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("read after close: %v", err)
				}
			}
			if after := turns(); after-before > conns/4 {
				t.Errorf("%d closes took %d turns of the loop", conns, after-before)
			}
			for _, peer := range peers {
				if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("the peer reads %d, %v", n, err)
				}
				peer.Close()
			}
		})
	})
}

// A task may come at any time: first, last, to each method, and find the bytes where the goroutines left them.
func TestDetachedMeetTasks(t *testing.T) {
	type visit func(c *sock.Conn) (rest io.ReadCloser, err error)
	visits := map[string]visit{
		"Read":     func(c *sock.Conn) (io.ReadCloser, error) { return c, nil },
		"Buffered": func(c *sock.Conn) (io.ReadCloser, error) { c.Buffered(); return c, nil },
		"Peek":     func(c *sock.Conn) (io.ReadCloser, error) { _, err := c.Peek(3); return c, err },
		"deadline": func(c *sock.Conn) (io.ReadCloser, error) { return c, c.SetDeadline(c.Loop().Now().Add(1 << 40)) },
		"SyscallConn": func(c *sock.Conn) (io.ReadCloser, error) {
			raw, err := c.SyscallConn()
			if err == nil {
				err = raw.Write(func(uintptr) bool { return true })
			}
			return c, err
		},
		"option": func(c *sock.Conn) (io.ReadCloser, error) { return c, c.SetNoDelay(false) },
		"DetachConn": func(c *sock.Conn) (io.ReadCloser, error) {
			conn, err := c.DetachConn()
			return conn, err
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, visit := range visits {
			t.Run(name, func(t *testing.T) {
				detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
					c, peer := next()
					defer peer.Close()
					peer.Write([]byte("0123456789"))
					head := make([]byte, 4)
					if _, err := io.ReadFull(c, head); err != nil {
						t.Error(err)
					}
					var all []byte
					if err := l.Go(func() {
						rest, err := visit(c)
						if errors.Is(err, errors.ErrUnsupported) { // and then c is as it was
							rest, err = c, nil
						}
						if err != nil {
							t.Error(err)
							return
						}
						if rest == io.ReadCloser(c) {
							p := make([]byte, 3)
							if _, err := io.ReadFull(c, p); err != nil {
								t.Error(err)
							}
							all = append(head, p...)
							return
						}
						defer rest.Close()
						l.Offload(func(context.Context) error {
							p := make([]byte, 6)
							_, err := io.ReadFull(rest, p)
							all = append(head, p...)
							return err
						})
					}).Wait(); err != nil {
						t.Error(err)
					}
					if len(all) == 7 { // and back to a goroutine
						p := make([]byte, 3)
						if _, err := io.ReadFull(c, p); err != nil {
							t.Error(err)
						}
						all = append(all, p...)
					}
					if !bytes.Equal(all, []byte("0123456789")) {
						t.Errorf("read %q", all)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
}

// What goroutines leave open a loop closes at its end, also under one that reads.
func TestDetachedEndWithTheLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var peers []tcpPeer
		ended := make(chan error, 1)
		detachedConns(t, cfg, func(_ *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			for range 10 {
				c, peer := next()
				peers = append(peers, peer)
				if len(peers) == 1 {
					go func() {
						_, err := c.Read(make([]byte, 1))
						ended <- err
					}()
				}
			}
		})
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the reader got %v", err)
		}
		for _, peer := range peers {
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("a peer reads %d, %v", n, err)
			}
			peer.Close()
		}
	})
}

// awaitStack waits until some goroutine is in a function.
func awaitStack(t *testing.T, function string) {
	t.Helper()
	if err := patience.Poll(runtime.Gosched, func() bool { return onStack(function) }); err != nil {
		t.Errorf("nobody is in %s: %v", function, err)
	}
}

// onStack reports whether a goroutine is in a function.
func onStack(function string) bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), function)
}

// A Close that waits for the loop, since it lingers, returns when another one that does not need
// the loop has closed the connection.
func TestDetachedCloseBesideOneThatLingers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			c, peer := next()
			defer peer.Close()
			if err := c.SetLinger(1); err != nil {
				t.Error(err)
			}
			holds, release := make(chan struct{}), make(chan struct{})
			held := l.Go(func() { close(holds); <-release }) // the loop's thread
			<-holds
			closed := make(chan error, 1)
			go func() { closed <- c.Close() }()
			awaitStack(t, "handle.(*foreign).awaitClosed(")
			if err := c.SetLinger(-1); err != nil {
				t.Error(err)
			}
			wantClosed(t, "Close again", c.Close())
			close(release)
			patience.Within(t.Name(), func() {
				if err := <-closed; err != nil {
					t.Error(err)
				}
				held.Wait()
			})
		})
	})
}

// Of connections that goroutines have closed a loop keeps nothing.
func TestDetachedThatAreClosedAreForgotten(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			const conns = 20
			var kept []weak.Pointer[sock.Conn]
			for i := range conns {
				c, peer := next()
				if i%2 == 0 {
					read := make(chan bool)
					go func() { // the last who is at it closes the descriptor
						c.Read(make([]byte, 1))
						close(read)
					}()
					awaitStack(t, "sock.(*Conn).Read(")
					defer func() { <-read }()
				}
				c.Close()
				peer.Close()
				kept = append(kept, weak.Make(c))
			}
			left := conns
			err := patience.Poll(runtime.GC, func() bool {
				left = 0
				for _, p := range kept {
					if p.Value() != nil {
						left++
					}
				}
				return left <= 1 // one may still be on a stack
			})
			if err != nil {
				t.Errorf("%d of %d closed connections are kept: %v", left, conns, err)
			}
		})
	})
}

// slowClose is a kernel whose close(2) of a socket waits.
type slowClose struct {
	kernel.Kernel
	begun, release chan bool
	slow           atomic.Bool
}

func (k *slowClose) Close(fd int32) int32 {
	if k.slow.Swap(false) {
		k.begun <- true
		<-k.release
	}
	return k.Kernel.Close(fd)
}

// Each of several Closes at once returns with the descriptor closed, also of a connection that no task has used.
func TestDetachedCloseBesideAnother(t *testing.T) {
	seconds := map[string]func(t *testing.T, cfg ringo.Config, l *ringo.Loop, f func()){
		"task": func(_ *testing.T, _ ringo.Config, l *ringo.Loop, f func()) { l.Go(f).Wait() },
	}
	for who, as := range closers {
		seconds[who] = func(t *testing.T, cfg ringo.Config, _ *ringo.Loop, f func()) { as(t, cfg, f) }
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range seconds {
			t.Run(who, func(t *testing.T) {
				k := &slowClose{Kernel: kernel.Process(), begun: make(chan bool), release: make(chan bool)}
				defer kernel.Through(k)()
				detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
					c, peer := next()
					defer peer.Close()
					first, second := make(chan error, 1), make(chan error, 1)
					k.slow.Store(true)
					go func() { first <- c.Close() }()
					<-k.begun
					go as(t, cfg, l, func() { second <- c.Close() })
					for len(second) == 0 && !onStack("handle.(*foreign).awaitClosed") {
						runtime.Gosched()
					}
					if len(second) > 0 {
						t.Error("the second Close returned before the descriptor was closed")
					}
					close(k.release)
					patience.Within(t.Name(), func() {
						if err := <-first; err != nil {
							t.Error(err)
						}
						wantClosed(t, "the second Close", <-second)
					})
				})
			})
		}
	})
}
