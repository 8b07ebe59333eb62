//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// dialStep is a dial that has come to a point from which it does not go on.
type dialStep struct {
	name    string
	address string // with no port
	answers []string
	hold    []uint16
	reached func(server *nameServer, seen *attempts) bool
	again   bool // the one of two families is more of the same
}

var dialSteps = []dialStep{
	{name: "looking up", address: "a.test.", hold: []uint16{typeA, typeAAAA},
		reached: func(server *nameServer, _ *attempts) bool { return server.questions() >= 2 }},
	{name: "connecting to a number", address: "127.0.0.1", again: true,
		reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 1 }},
	{name: "connecting to one of two families", address: "a.test.", answers: []string{"127.0.0.1"},
		hold:    []uint16{typeAAAA},
		reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 1 }},
	{name: "connecting to several", address: "a.test.", answers: []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"},
		again: true, reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 3 }},
}

// A dialAbort ends a dial from outside. start runs dial in a way that can be ended, and gives
// the way.
type dialAbort struct {
	name  string
	start func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (abort func(),
		wait func() error)
	want func(err error) bool
}

var dialAborts = append([]dialAbort{
	{"cancel", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
		t := l.Go(func() { end(d.Dial(l, "tcp", address)) })
		return t.Cancel, t.Wait
	}, func(err error) bool { return errors.Is(err, context.Canceled) && !os.IsTimeout(err) }},
	{"time limit of a block", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		t := l.Go(func() {
			l.WithTimeout(100*time.Millisecond, func() error {
				end(d.Dial(l, "tcp", address))
				return nil
			})
		})
		return func() {}, t.Wait
	}, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
	{"timeout", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
		d.Timeout = 100 * time.Millisecond
		t := l.Go(func() { end(d.Dial(l, "tcp", address)) })
		return func() {}, t.Wait
	}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) && os.IsTimeout(err) }},
	{"context of a task", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		ctx, cancel := context.WithCancel(context.Background())
		t := l.Go(func() { end(d.DialContext(ctx, l, "tcp", address)) })
		return cancel, t.Wait
	}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	{"context of a goroutine", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan bool)
		go func() {
			defer close(done)
			end(d.DialContext(ctx, l, "tcp", address))
		}()
		return cancel, func() error { return l.Offload(func(context.Context) error { <-done; return nil }) }
	}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	{"deadline of a goroutine's context",
		func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			done := make(chan bool)
			go func() {
				defer close(done)
				defer cancel()
				end(d.DialContext(ctx, l, "tcp", address))
			}()
			return func() {}, func() error { return l.Offload(func(context.Context) error { <-done; return nil }) }
		}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) && os.IsTimeout(err) }},
}, callersAborts()...)

// callersAborts are the ends of a caller for whom another task dials.
func callersAborts() (list []dialAbort) {
	type ending = func(*sock.Conn, error)
	type dialing = func(*ringo.Loop, sock.Dialer, string) (*sock.Conn, error)
	plain := func(l *ringo.Loop, d sock.Dialer, address string) (*sock.Conn, error) {
		return d.Dial(l, "tcp", address)
	}
	withContext := func(l *ringo.Loop, d sock.Dialer, address string) (*sock.Conn, error) {
		return d.DialContext(context.Background(), l, "tcp", address)
	}
	limited := func(l *ringo.Loop, dial func()) {
		l.WithTimeout(100*time.Millisecond, func() error { dial(); return nil })
	}
	for _, caller := range []struct {
		name string
		loop func(l *ringo.Loop) (*ringo.Loop, func())
		dial dialing
	}{
		{"a task in DialContext", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} }, withContext},
		{"an iterator in DialContext", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} },
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return withContext(l, d, address) })
			}},
		{"an iterator", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} },
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return plain(l, d, address) })
			}},
		{"a task of another loop", loopElsewhere, plain},
		{"a task of another loop in DialContext", loopElsewhere, withContext},
		{"an iterator on another loop", loopElsewhere,
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return plain(l, d, address) })
			}},
	} {
		start := func(l *ringo.Loop, d sock.Dialer, address string, end ending,
			limit func(*ringo.Loop, func())) (func(), func() error) {
			from, leave := caller.loop(l)
			t := from.Go(func() { limit(from, func() { end(caller.dial(l, d, address)) }) })
			return t.Cancel, func() error { defer leave(); return t.Wait() }
		}
		list = append(list,
			dialAbort{"cancel of " + caller.name,
				func(l *ringo.Loop, d sock.Dialer, address string, end ending) (func(),
					func() error) {
					return start(l, d, address, end, func(_ *ringo.Loop, dial func()) { dial() })
				}, func(err error) bool { return errors.Is(err, context.Canceled) && !os.IsTimeout(err) }},
			dialAbort{"time limit of " + caller.name,
				func(l *ringo.Loop, d sock.Dialer, address string, end ending) (func(),
					func() error) {
					_, wait := start(l, d, address, end, limited)
					return func() {}, wait
				}, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) && os.IsTimeout(err) }})
	}
	return list
}

// dialInIterator runs dial in an iterator of the caller's, which may be a task.
func dialInIterator(dial func() (*sock.Conn, error)) (c *sock.Conn, err error) {
	inIterator(func() { c, err = dial() })
	return c, err
}

// loopElsewhere is a loop of another Run with the same driver, until leave.
func loopElsewhere(l *ringo.Loop) (o *ringo.Loop, leave func()) {
	made, over, ended := make(chan *ringo.Loop), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ringo.Run(context.Background(), &ringo.Config{Driver: l.Info().Name, Loops: 1}, func(l *ringo.Loop) error {
			return l.Offload(func(context.Context) error { made <- l; <-over; return nil })
		})
	}()
	return <-made, func() { close(over); <-ended }
}

// A dial can be ended at each step, in every way, and then nothing is left of it.
func TestDialAborted(t *testing.T) {
	testmain.NeedLong(t, "thousands of dials; TestDialThatWaits has one of each")
	for _, step := range dialSteps {
		if step.again && !testmain.Long() {
			continue
		}
		t.Run(step.name, func(t *testing.T) {
			at := newScene(t, nil, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"})
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				for _, abort := range dialAborts {
					t.Run(abort.name, func(t *testing.T) { dialAndAbort(t, cfg, at, step, abort) })
				}
			})
		})
	}
}

// newStep makes what a dial needs to come to a step.
func newStep(t *testing.T, step dialStep) (sock.Dialer, *nameServer, *attempts) {
	t.Helper()
	server := newNameServer(t, map[string][]netip.Addr{"a.test": addrsOf(step.answers...)})
	for _, typ := range step.hold {
		t.Cleanup(server.hold(typ))
	}
	seen := &attempts{t: t}
	return sock.Dialer{Resolver: server.resolver(), Control: seen.control, FallbackDelay: time.Millisecond}, server,
		seen
}

func dialAndAbort(t *testing.T, cfg ringo.Config, at *scene, step dialStep, abort dialAbort) {
	d, server, seen := newStep(t, step)
	onLoop(t, cfg, func(l *ringo.Loop) {
		before, after := tcpSockets(t), 0
		ended := make(chan error, 1)
		stop, wait := abort.start(l, d, net.JoinHostPort(step.address, at.port), func(c *sock.Conn, err error) {
			if err == nil {
				c.Close()
			}
			after = tcpSockets(t)
			ended <- err
		})
		eventuallyOn(t, l, "the step", func() bool { return step.reached(server, seen) || len(ended) > 0 })
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
		err := <-ended
		var op *net.OpError
		if !abort.want(err) || !errors.As(err, &op) || op.Op != "dial" || op.Net != "tcp" {
			t.Errorf("Dial: %v", err)
		}
		if after != before {
			t.Errorf("%d TCP sockets when the dial was over, %d before", after, before)
		}
	})
}

// The end of a Run ends the dials on it, at each step.
func TestDialEndsWithRun(t *testing.T) {
	for _, step := range dialSteps {
		t.Run(step.name, func(t *testing.T) {
			at := newScene(t, nil, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"})
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				d, server, seen := newStep(t, step)
				cfg.Grace = time.Millisecond
				before := tcpSockets(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				address := net.JoinHostPort(step.address, at.port)
				errs := make(chan error, 2)
				patience.Within(t.Name(), func() {
					ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
						go func() {
							_, err := d.DialContext(context.Background(), l, "tcp", address)
							errs <- err
						}()
						l.Go(func() {
							for !step.reached(server, seen) && l.Sleep(time.Millisecond) == nil {
							}
							cancel()
						})
						_, err := d.Dial(l, "tcp", address)
						errs <- err
						return nil
					})
					for range 2 {
						if err := <-errs; !errors.Is(err, context.Canceled) && !errors.Is(err, ringo.ErrEnded) {
							t.Errorf("Dial: %v, want context.Canceled or ErrEnded", err)
						}
					}
				})
				if after := tcpSockets(t); after != before {
					t.Errorf("%d TCP sockets after Run, %d before", after, before)
				}
			})
		})
	}
}

// While DNS hangs a loop goes on: other tasks run, and echo.
func TestNamesHang(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		server := newNameServer(t, nil)
		defer server.hold(typeA)()
		defer server.hold(typeAAAA)()
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const dials = 50
			d := sock.Dialer{Resolver: server.resolver()}
			var tasks []*ringo.Task
			over := 0
			for range dials {
				tasks = append(tasks, l.Go(func() {
					_, err := d.Dial(l, "tcp", "a.test.:1")
					wantCanceled(t, "Dial", err)
					over++
				}))
			}
			eventuallyOn(t, l, "the questions are asked", func() bool { return server.questions() >= 2 })
			echoed := make(chan error, 1)
			go func() {
				defer close(echoed)
				b := make([]byte, 1)
				for range 200 {
					if _, err := peer.Write(b); err != nil {
						echoed <- err
						return
					}
					if _, err := peer.Read(b); err != nil {
						echoed <- err
						return
					}
				}
			}()
			b := make([]byte, 1)
			for i := range 200 {
				if _, err := c.Read(b); err != nil {
					t.Fatalf("echo %d: %v", i, err)
				}
				if _, err := c.Write(b); err != nil {
					t.Fatalf("echo %d: %v", i, err)
				}
			}
			offloaded(t, l, func() error { return <-echoed })
			if over > 0 {
				t.Errorf("%d dials are over though nobody answered", over)
			}
			for _, task := range tasks {
				task.Cancel()
			}
			for _, task := range tasks {
				task.Wait()
			}
		})
	})
}
