//go:build linux

package sockclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// A session is what a protocol may have made of a connection.
type session struct {
	*sock.Conn
	good   bool
	closes *atomic.Int32
}

func (s *session) NetConn() net.Conn { return s.Conn }
func (s *session) Reusable() bool    { return s.good }

func (s *session) Close() error {
	defer s.closes.Add(1)
	return s.Conn.Close() // which parks
}

// sessions is a Pool of them, and the number of those that were closed.
func sessions(addr string) (*sockclient.Pool, *atomic.Int32) {
	closes := new(atomic.Int32)
	return &sockclient.Pool{Max: 2, MaxIdle: 2, Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		c, err := new(sock.Dialer).DialContext(ctx, l, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return &session{c, true, closes}, nil
	}}, closes
}

var errOfUse = errors.New("of the use")

// What has been used is given back or closed: a session says which, and else the error does. So it is if use panics.
func TestPoolDo(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		plain := &sockclient.Pool{Dial: dialTo(addr)}
		own, closes := sessions(addr)
		for _, of := range []struct {
			p    *sockclient.Pool
			good bool
			err  error
			kept int
		}{
			{plain, true, nil, 1}, {plain, true, errOfUse, 0},
			{own, true, nil, 1}, {own, true, errOfUse, 1}, {own, false, nil, 0},
		} {
			err := of.p.Do(context.Background(), l, func(_ context.Context, c net.Conn) error {
				ask(t, c, "x")
				if s, ok := c.(*session); ok {
					s.good = of.good
				}
				return of.err
			})
			if err != of.err {
				t.Errorf("Do() = %v, want %v", err, of.err)
			}
			counts(t, of.p, l, of.kept, of.kept)
		}
		until(t, "one closed", func() bool { return closes.Load() == 1 })
		func() {
			defer func() { recover() }()
			own.Do(nil, l, func(context.Context, net.Conn) error { panic(errOfUse) })
		}()
		counts(t, own, l, 0, 0)
		if err := own.Shutdown(nil); err != nil || closes.Load() != 2 {
			t.Errorf("Shutdown: %v, %d closed", err, closes.Load())
		}
		plain.CloseIdle()
	})
}

// The waits of use end with Do's context, and what use gets does not, in a task; on a goroutine it is Do's own.
func TestPoolDoContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, func(*sock.Conn, []string) {}) // no answers
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr)}
		ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, 1))
		err := p.Do(ctx, l, func(within context.Context, c net.Conn) error {
			if within.Done() != nil || within.Value(key{}) != 1 {
				t.Error("the context of use ends, or has lost its values")
			}
			cancel(errOfUse)
			_, err := c.Read(make([]byte, 1))
			return err
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errOfUse) {
			t.Errorf("Do() = %v", err)
		}
		counts(t, p, l, 0, 0)
		elsewhere(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := p.Do(ctx, l, func(within context.Context, c net.Conn) error {
				if within != ctx {
					t.Error("a goroutine has another context")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		p.CloseIdle()
	})
}

// Shutdown refuses who comes and who waits, closes what is at rest, and waits for those in use.
func TestPoolShutdown(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p, closes := sessions(addr)
		other := l.Loops()[1]
		other.Go(func() { get(t, p, other).Release() }).Wait()
		a, b := get(t, p, l), get(t, p, l)
		var all ringo.WaitGroup
		all.Go(func() {
			if _, err := p.Get(nil, l); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Get() that waited = %v", err)
			}
		})
		until(t, "who waits", func() bool { return strings.Contains(socktest.TasksOf(l.Loops()), "Semaphore") })
		ended := false
		all.Go(func() {
			if err := p.Shutdown(nil); err != nil {
				t.Error(err)
			}
			ended = true
			if n := closes.Load(); n != 3 {
				t.Errorf("Shutdown has returned with %d of 3 closed", n)
			}
		})
		until(t, "the end of what rests", func() bool { return closes.Load() == 1 })
		if _, err := p.Get(nil, l); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Get() = %v", err)
		}
		ask(t, a, "in use")
		a.Release()
		if ended {
			t.Error("it has not waited")
		}
		b.Close()
		all.Wait()
		counts(t, p, l, 0, 0)
	})
}

// A Shutdown whose context ends cuts off those in use, and says how many.
func TestPoolShutdownCuts(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p, _ := sessions(addr)
		var all ringo.WaitGroup
		var using atomic.Int32
		for _, of := range l.Loops() {
			all.Add(1)
			of.Post(func() {
				defer all.Done()
				c := get(t, p, of)
				defer c.Close()
				using.Add(1)
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read() = %v", err)
				}
			})
		}
		until(t, "two users", func() bool { return using.Load() == 2 })
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := p.Shutdown(ctx)
		if !errors.Is(err, context.Canceled) || !strings.Contains(fmt.Sprint(err), "cut off 2 connections") {
			t.Errorf("Shutdown() = %v", err)
		}
		all.Wait()
		if err := p.Shutdown(nil); err != nil {
			t.Error(err)
		}
	})
}

// What a session has of its own ends by Shutdown, also once there is no loop any more.
func TestPoolShutdownAfterTheLoop(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		p, closes := sessions(ln.Addr().String())
		cfg.Loops = 1
		err = socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			get(t, p, l).Release()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := p.Shutdown(context.Background()); err != nil || closes.Load() != 1 {
			t.Errorf("Shutdown() = %v, %d closed", err, closes.Load())
		}
	})
}
