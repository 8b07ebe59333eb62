package sock_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// forAll are the methods that have an answer whatever has become of the loop, by
// their types. All others give an error when it has ended.
var forAll = map[reflect.Type][]string{
	reflect.TypeFor[*sock.Conn](): {"Loop", "LocalAddr", "RemoteAddr", "Value", "SetValue", "ZeroCopy", "Buffered",
		"Close", "SyscallConn"},
	reflect.TypeFor[*sock.Listener](): {"Addr", "Close", "SetUnlinkOnClose", "SyscallConn"},

	reflect.TypeFor[*sock.PacketConn]():     packetsForAll,
	reflect.TypeFor[*sock.UnixPacketConn](): packetsForAll,
}

// callAll calls each method that a type has, with zero values, and gives by name
// what those got that are to fail: an error, or the value of a panic. The others must
// not panic.
func callAll(on any) map[string]any {
	got := map[string]any{}
	v := reflect.ValueOf(on)
	for i := range v.NumMethod() {
		name, method := v.Type().Method(i).Name, v.Method(i)
		var args []reflect.Value
		for j := range method.Type().NumIn() {
			if method.Type().IsVariadic() && j == method.Type().NumIn()-1 {
				break
			}
			args = append(args, reflect.Zero(method.Type().In(j)))
		}
		if slices.Contains(forAll[v.Type()], name) {
			method.Call(args)
			continue
		}
		got[name] = outcome(method, args)
	}
	return got
}

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

// wantRefused checks what callAll gave: an error that is want.
func wantRefused(t *testing.T, on any, want error) {
	t.Helper()
	for name, got := range callAll(on) {
		if err, isErr := got.(error); !isErr || !errors.Is(err, want) {
			t.Errorf("%T.%s: %v; want %v", on, name, got, want)
		}
	}
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
		for _, err := range []error{net.ErrClosed, ringo.ErrEnded} {
			wantRefused(t, c, err)
			wantRefused(t, ln, err)
		}
		if ln.Addr() == nil || c.RemoteAddr() == nil || c.Loop() == nil {
			t.Error("an address or the loop is gone")
		}
	})
}

// Bytes go from one loop to another as well, though not without a copy.
func TestCopyToAnotherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		waiting := make(chan *sock.Conn, 1)
		errs := make(chan error, 1)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			p := make([]byte, 1)
			c.Read(p)
			if p[0] == 'd' { // the destination
				waiting <- c
				c.Read(p)
				return
			}
			var dst *sock.Conn
			c.Loop().Offload(func(context.Context) error { dst = <-waiting; return nil })
			_, err := io.Copy(dst, c)
			errs <- errors.Join(err, dst.CloseWrite())
		}))
		for range 8 { // by chance some are of one loop
			dst, src := s.dial(), s.dial()
			send(t, dst, "d")
			send(t, src, "s")
			const size = 300_000
			go func() {
				p := make([]byte, size)
				pattern(p, 0)
				src.Write(p)
				src.CloseWrite()
			}()
			got, err := io.ReadAll(dst)
			if err != nil || len(got) != size || mismatch(got, 0) >= 0 {
				t.Errorf("%d bytes came, %v", len(got), err)
			}
			if err := <-errs; err != nil {
				t.Error(err)
			}
			dst.Close()
			src.Close()
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
			offloaded(t, l, func() error { ln = <-foreign; return nil })
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
