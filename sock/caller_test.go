package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// connCalls is every method of a connection that only a task of its loop may call
// and that can say so.
var connCalls = map[string]func(c *sock.Conn) error{
	"Read":               func(c *sock.Conn) error { _, err := c.Read(make([]byte, 8)); return err },
	"Write":              func(c *sock.Conn) error { _, err := c.Write([]byte("x")); return err },
	"Next":               func(c *sock.Conn) error { _, err := c.Next(); return err },
	"Peek":               func(c *sock.Conn) error { _, err := c.Peek(1); return err },
	"Discard":            func(c *sock.Conn) error { _, err := c.Discard(1); return err },
	"ReadFrom":           func(c *sock.Conn) error { _, err := c.ReadFrom(bytes.NewReader([]byte("x"))); return err },
	"WriteTo":            func(c *sock.Conn) error { _, err := c.WriteTo(io.Discard); return err },
	"Close":              func(c *sock.Conn) error { return c.Close() },
	"CloseRead":          func(c *sock.Conn) error { return c.CloseRead() },
	"CloseWrite":         func(c *sock.Conn) error { return c.CloseWrite() },
	"SetDeadline":        func(c *sock.Conn) error { return c.SetDeadline(longAgo) },
	"SetReadDeadline":    func(c *sock.Conn) error { return c.SetReadDeadline(longAgo) },
	"SetWriteDeadline":   func(c *sock.Conn) error { return c.SetWriteDeadline(longAgo) },
	"SetNoDelay":         func(c *sock.Conn) error { return c.SetNoDelay(false) },
	"SetLinger":          func(c *sock.Conn) error { return c.SetLinger(0) },
	"SetReadBuffer":      func(c *sock.Conn) error { return c.SetReadBuffer(4096) },
	"SetWriteBuffer":     func(c *sock.Conn) error { return c.SetWriteBuffer(4096) },
	"SetKeepAlive":       func(c *sock.Conn) error { return c.SetKeepAlive(false) },
	"SetKeepAliveConfig": func(c *sock.Conn) error { return c.SetKeepAliveConfig(net.KeepAliveConfig{}) },
	"SetKeepAlivePeriod": func(c *sock.Conn) error { return c.SetKeepAlivePeriod(time.Second) },
}

// Callers from elsewhere get a clear error while the loop works on the same
// connection, and the connection is none the worse for it. With -race this also
// says that they touch nothing of the loop's.
func TestCallsFromOutside(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, from := range []string{"goroutines", "another loop"} {
			t.Run(from, func(t *testing.T) {
				cfg := cfg
				cfg.Loops = 2
				conns := make(chan *sock.Conn, 1)
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					conns <- c
					io.Copy(c, c)
				}))
				peer := s.dial()
				c := <-conns

				var stop atomic.Bool
				var wg sync.WaitGroup
				disturb := func() {
					for name, call := range connCalls {
						if err := call(c); !errors.Is(err, ringo.ErrNotTask) {
							t.Errorf("%s: %v, want ErrNotTask", name, err)
							stop.Store(true)
						}
					}
					if n := c.Buffered(); n != 0 {
						t.Errorf("Buffered() = %d", n)
					}
					c.LocalAddr()
					c.RemoteAddr()
					c.Loop()
				}
				if from == "goroutines" {
					for range 3 {
						wg.Go(func() {
							for !stop.Load() {
								disturb()
							}
						})
					}
				} else {
					other := otherLoop(s, c.Loop())
					wg.Add(1)
					other.Go(func() {
						defer wg.Done()
						for !stop.Load() {
							disturb()
							other.Sleep(0)
						}
					})
				}
				echo(t, peer, 1<<20)
				stop.Store(true)
				wg.Wait()
			})
		}
	})
}

func otherLoop(s *server, l *ringo.Loop) *ringo.Loop {
	for _, o := range l.Loops() {
		if o != l {
			return o
		}
	}
	panic("one loop only")
}

// echo sends bytes and reads them back at the same time.
func echo(t *testing.T, peer *net.TCPConn, n int) {
	t.Helper()
	sent := make(chan error, 1)
	msg := make([]byte, n)
	pattern(msg, 0)
	go func() {
		_, err := peer.Write(msg)
		sent <- err
	}()
	got := make([]byte, n)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Error(err)
	} else if bad := mismatch(got, 0); bad >= 0 {
		t.Errorf("wrong byte at %d of %d", bad, n)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestListenerCallsFromOutside(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			addr := ln.Addr().String()
			h := &sock.Handler{Request: func(*sock.Conn) error { return nil }}
			for name, call := range map[string]func() error{
				"Accept":             func() error { _, err := ln.Accept(); return err },
				"AcceptConn":         func() error { _, err := ln.AcceptConn(); return err },
				"Close":              func() error { return ln.Close() },
				"Serve":              func() error { return sock.Serve(l, ln, h) },
				"Listen":             func() error { _, err := sock.Listen(l, "tcp", "127.0.0.1:0"); return err },
				"Dial":               func() error { _, err := sock.Dial(l, "tcp", addr); return err },
				"ListenerSet.Listen": func() error { _, err := set.Listen(l); return err },
			} {
				aside(t, l, func() error {
					if err := call(); !errors.Is(err, ringo.ErrNotTask) {
						t.Errorf("%s: %v, want ErrNotTask", name, err)
					}
					if ln.Addr().String() != addr {
						t.Error("the address is gone")
					}
					return nil
				})
			}
			c, peer := accept(t, ln) // it still works
			peer.Close()
			c.Close()
		})
	})
}

// A connection that outlives its Run is of no use, and does no harm.
func TestUseAfterRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var c *sock.Conn
		var ln *sock.Listener
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln = listen(t, l)
			var peer *net.TCPConn
			c, peer = accept(t, ln)
			peer.Close()
			c.Close()
			ln.Close()
		})
		for name, call := range connCalls {
			if err := call(c); !errors.Is(err, ringo.ErrNotTask) {
				t.Errorf("%s: %v, want ErrNotTask", name, err)
			}
		}
		if _, err := ln.Accept(); !errors.Is(err, ringo.ErrNotTask) {
			t.Errorf("Accept: %v, want ErrNotTask", err)
		}
		if ln.Addr() == nil || c.RemoteAddr() == nil || c.Loop() == nil {
			t.Error("an address or the loop is gone")
		}
	})
}

// Bytes are passed on within a loop only; a connection of another loop refuses them.
func TestCopyToAnotherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		conns := make(chan *sock.Conn, 2)
		errs := make(chan error, 1)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			p := make([]byte, 1)
			c.Read(p)
			if p[0] == 'd' { // the destination
				conns <- c
				c.Read(p)
				return
			}
			var dst *sock.Conn
			c.Loop().Offload(func(context.Context) error { dst = <-conns; return nil })
			if dst.Loop() == c.Loop() { // by chance
				errs <- nil
				return
			}
			_, err := c.WriteTo(dst)
			_, err2 := dst.ReadFrom(c)
			errs <- errors.Join(err, err2)
			if err != nil && c.Loop().Stats().Buffers != 0 {
				t.Error("a buffer is lost")
			}
		}))
		for tries := 0; ; tries++ {
			dst, src := s.dial(), s.dial()
			send(t, dst, "d")
			send(t, src, "sx")
			err := <-errs
			dst.Close()
			src.Close()
			if err == nil && tries < 100 {
				continue
			}
			if !errors.Is(err, ringo.ErrNotTask) {
				t.Errorf("WriteTo a connection of another loop: %v, want ErrNotTask", err)
			}
			return
		}
	})
}

// Serve takes listeners of its own loop only.
func TestServeOfAnotherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		foreign, result := make(chan *sock.Listener, 1), make(chan error, 1)
		serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 0 {
				foreign <- ln
				_, err := ln.Accept()
				return err
			}
			aside(t, l, func() error { ln = <-foreign; return nil })
			result <- sock.Serve(l, ln, &sock.Handler{Request: func(*sock.Conn) error { return nil }})
			return nil
		})
		within(patience, t.Name(), func() {
			if err := <-result; !errors.Is(err, ringo.ErrNotTask) {
				t.Errorf("Serve: %v, want ErrNotTask", err)
			}
		})
	})
}

// A task may wait on a connection inside an iterator of its own, which runs on
// another g of the same thread.
func TestInsideAnIterator(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			lines := func(yield func(string) bool) {
				for {
					p := make([]byte, 4)
					if _, err := io.ReadFull(c, p); err != nil {
						if err != io.EOF {
							t.Errorf("Read in an iterator: %v", err)
						}
						return
					}
					if _, err := c.Write(p); err != nil {
						t.Errorf("Write in an iterator: %v", err)
					}
					if !yield(string(p)) {
						return
					}
				}
			}
			next, stop := iter.Pull(lines)
			defer stop()
			other := l.Go(func() { // others run meanwhile
				for range 20 {
					l.Sleep(0)
				}
			})
			l.AfterFunc(time.Millisecond, func() { send(t, peer, "one two three ") })
			l.AfterFunc(2*time.Millisecond, func() { send(t, peer, "17"); peer.CloseWrite() })
			for _, want := range []string{"one ", "two ", "thre", "e 17"} {
				if got, ok := next(); !ok || got != want {
					t.Fatalf("next() = %q, %v, want %q", got, ok, want)
				}
			}
			if got, ok := next(); ok {
				t.Errorf("next() = %q at the end", got)
			}
			wantPeer(t, l, peer, "one two three 17")
			other.Wait()
		})
	})
}

// Deadlines and cancels reach a task that waits inside an iterator, and Close works
// there.
func TestEndsInsideAnIterator(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			errs := func(yield func(error) bool) {
				for yield(read(c)) {
				}
				c.Close()
			}
			task := l.Go(func() {
				next, stop := iter.Pull(errs)
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				err, _ := next()
				wantTimeout(t, "Read", err)
				c.SetReadDeadline(never)
				err, _ = next()
				wantCanceled(t, "Read", err)
				stop()
				wantClosed(t, "Read", read(c))
			})
			l.Sleep(5 * time.Millisecond)
			task.Cancel()
			task.Wait()
			wantPeerEOF(t, l, peer)
		})
	})
}
