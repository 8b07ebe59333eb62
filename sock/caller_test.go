package sock_test

import (
	"errors"
	"io"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// outcome is the error that a call gives last, or what it panics with.
func outcome(method reflect.Value, args []reflect.Value) (got any) {
	defer func() {
		if v := recover(); v != nil {
			got = v
		}
	}()
	results := method.Call(args)
	if len(results) == 0 {
		return nil
	}
	return results[len(results)-1].Interface()
}

// Callers from elsewhere work on a connection while its loop does. With -race this
// also says that they touch nothing of the loop's.
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
					n, _ := c.Value().(int)
					c.SetValue(n + 1)
					if err := errors.Join(c.SetNoDelay(true), c.SetKeepAlive(true), c.SetLinger(-1),
						c.SetDeadline(time.Now().Add(time.Hour)), c.SetDeadline(never)); err != nil {
						t.Error(err)
						stop.Store(true)
					}
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
				"Serve":              func() error { return sock.Serve(l, ln, h) },
				"Listen":             func() error { _, err := sock.Listen(l, "tcp", "127.0.0.1:0"); return err },
				"ListenerSet.Listen": func() error { _, err := set.Listen(l); return err },
			} {
				offloaded(t, l, func() error {
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
			offloaded(t, l, func() error { ln = <-foreign; return nil })
			result <- sock.Serve(l, ln, &sock.Handler{Request: func(*sock.Conn) error { return nil }})
			return nil
		})
		patience.Within(t.Name(), func() {
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
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
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
