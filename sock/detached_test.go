package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"weak"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/test/patience"
	"ringo/sock"
)

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
