//go:build linux

package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// active is what may be active.
type active interface {
	Ref()
	Unref()
}

// endless is what never ends by itself, by name: each begins it, and gives what makes it tell.
var endless = map[string]func(t *testing.T, l *event.Loop, told func()) (poke func(), begun []active){
	"Every": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() {}, []active{l.Every(time.Millisecond, told)}
	},
	"Idle": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() {}, []active{l.Idle(told)}
	},
	"Check and Prepare": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() { l.Post(func() {}) }, []active{l.Check(func() {}), l.Prepare(told)}
	},
	"Waker": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		w := l.NewWaker(told)
		return w.Wake, []active{w}
	},
	"Signal": func(t *testing.T, l *event.Loop, told func()) (func(), []active) {
		s, err := l.Signal(func(os.Signal) { told() }, syscall.SIGUSR1)
		if err != nil {
			t.Fatal(err)
		}
		return func() { syscall.Kill(os.Getpid(), syscall.SIGUSR1) }, []active{s}
	},
	"Poll": func(t *testing.T, l *event.Loop, told func()) (func(), []active) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		var begun []active
		for range 2 {
			p, err := l.Poll(r, sock.Readable, func(sock.Interest, error) { told() })
			if err != nil {
				t.Fatal(err)
			}
			begun = append(begun, p)
		}
		return func() { w.Write([]byte("x")) }, begun
	},
}

// drained runs body on a loop whose Run drains as soon as drain is called, and wants Wait to return before Grace is
// over.
func drained(t *testing.T, cfg ringo.Config, body func(l *event.Loop, drain func())) {
	t.Helper()
	cfg.Grace = patience.Max / 3
	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	patience.Within(t.Name(), func() {
		if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			e := event.On(l)
			body(e, drain)
			if err := e.Wait(); err != nil {
				t.Errorf("Wait: %v", err)
			}
			socktest.Settle(t, l)
			return nil
		}); err != nil {
			t.Error("Run:", err)
		}
	})
}

// A drain ends what never ends by itself, whether it begins while somebody waits for the end or before.
func TestDrain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range endless {
			if t.Failed() { // which takes all of Grace
				return
			}
			t.Run(name, func(t *testing.T) {
				drained(t, cfg, func(l *event.Loop, drain func()) {
					begin(t, l, func() {})
					l.Post(drain)
				})
				drained(t, cfg, func(l *event.Loop, drain func()) {
					drain()
					l.Ringo().Draining().Recv()
					begin(t, l, func() {})
				})
			})
		}
	})
}

// As long as a connection is open in a drain, all goes on that it may need; behind its end nothing holds the loop.
func TestDrainBehindConnection(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range endless {
			if t.Failed() {
				return
			}
			t.Run(name, func(t *testing.T) {
				var why error
				drained(t, cfg, func(l *event.Loop, drain func()) {
					toldOf := make(chan bool, 1)
					poke, _ := begin(t, l, func() {
						select {
						case toldOf <- true:
						default:
						}
					})
					ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
						data: func(c *event.Conn, p []byte) int {
							c.Write(p)
							return len(p)
						},
						close: func(_ *event.Conn, err error) { why = err },
					})
					if err != nil {
						t.Fatal(err)
					}
					outside(t, l, func() error {
						c, err := net.DialTimeout("tcp", ln.Addr().String(), patience.Max)
						if err != nil {
							return err
						}
						defer c.Close()
						c.SetDeadline(patience.Deadline())
						echo := func() error {
							_, err := c.Write([]byte("hello"))
							return errors.Join(err, wantBytes(c, []byte("hello")))
						}
						if err := echo(); err != nil {
							return err
						}
						drain()
						l.Ringo().Draining().Recv()
						for range 2 { // the first may be from before
							poke()
							if _, err := patience.Receive(toldOf); err != nil {
								return fmt.Errorf("not told any more: %w", err)
							}
						}
						return echo()
					})
				})
				if why != io.EOF {
					t.Errorf("closed with %v, want the peer's end", why)
				}
			})
		}
	})
}

// What ends by itself a drain waits for: a timer of AfterFunc, work of Go. A callback that does not return, and is the
// last, keeps nobody from seeing that it was.
func TestDrainWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		called, ended := false, false
		drained(t, cfg, func(l *event.Loop, drain func()) {
			l.Every(time.Hour, func() {})
			drain()
			l.AfterFunc(20*time.Millisecond, func() { called = true })
			event.Go(l, func() (bool, error) { return true, l.Ringo().Sleep(20 * time.Millisecond) },
				func(ok bool, err error) { ended = ok && err == nil })
			l.AfterFunc(40*time.Millisecond, func() { panic("oops") })
		})
		if !called || !ended {
			t.Errorf("the timer called: %v; the work has ended: %v", called, ended)
		}
	})
}

// Nobody is waited for who does not wait: without a Wait a drain ends nothing.
func TestDrainWithoutWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		drained(t, cfg, func(l *event.Loop, drain func()) {
			ticks := ringo.NewChan[bool](1)
			l.Every(time.Millisecond, func() { ticks.TrySend(true) })
			drain()
			l.Ringo().Draining().Recv()
			for range 3 {
				if _, err := ticks.Recv(); err != nil {
					t.Error("no more ticks:", err)
				}
			}
		})
	})
}
