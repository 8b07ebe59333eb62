package sim_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/sim"
	"ringo/sock"
)

// Limits of time, cancels and ends are what they are on a real kernel.
func TestEnds(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		p := w.Host("here").Run(nil, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			s, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			p := make([]byte, 1<<20)
			err = l.WithTimeout(time.Minute, func() error { _, err := c.Read(p); return err })
			if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
				w.Errorf("a read for a minute: %v", err)
			}
			reads := l.Go(func() {
				if _, err := c.Read(p); !errors.Is(err, context.Canceled) {
					w.Errorf("a cancelled read: %v", err)
				}
			})
			l.Sleep(time.Second)
			reads.Cancel()
			reads.Wait()

			sent := l.Go(func() {
				defer s.CloseWrite()
				if n, err := s.Write(make([]byte, 4<<20)); n != 4<<20 || err != nil {
					w.Errorf("a write of more than there is room for: %d, %v", n, err)
				}
			})
			got := 0
			for err = nil; err == nil; {
				var n int
				n, err = c.Read(p)
				got += n
			}
			if sent.Wait(); got != 4<<20 || err != io.EOF {
				w.Errorf("%d bytes came, then %v", got, err)
			}
			if _, err := c.Write([]byte("unread")); err != nil {
				w.Errorf("a write: %v", err)
			}
			l.Sleep(time.Second)
			s.Close() // with something unread: the peer hears of it
			l.Sleep(time.Second)
			if _, err := c.Read(p); !errors.Is(err, posix.ECONNRESET) && err != io.EOF {
				w.Errorf("a read from who is gone: %v", err)
			}
			if _, err := c.Write(p); !errors.Is(err, posix.EPIPE) {
				w.Errorf("a write to who is gone: %v", err)
			}
			return c.Close()
		})
		w.Check(w.Wait(p))
	})
}

// A peer that says nothing holds up a drain for as long as Serve says, also if Open was called before the drain, and
// returns in it: the connection has not rested when the drain began.
func TestDrainOfSilentAfterOpen(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		opened := false
		server := h.Run(&ringo.Config{Grace: time.Hour}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			return sock.Serve(l, ln, &sock.Handler{Request: tellsLoop, Open: func(c *sock.Conn) error {
				opened = true
				return c.Loop().Sleep(2 * time.Second)
			}})
		})
		peer := h.Run(nil, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "here:7000")
			if err == nil {
				defer c.Close()
				c.Read(make([]byte, 1))
			}
			return err
		})
		w.RunUntil(time.Second, func() bool { return opened })
		begun := w.Elapsed()
		server.Drain()
		w.Check(w.Wait(server, peer))
		if d := w.Elapsed() - begun; d > 10*time.Second {
			w.Errorf("the drain took %v", d)
		}
	})
}

// A peer that says nothing is waited for in order, and not until the end of the default Grace, of which there would be
// a report.
func TestDrainOfSilentEndsBeforeGrace(t *testing.T) {
	for name, serve := range map[string]func(l *ringo.Loop, ln *sock.Listener) error{
		"Serve": func(l *ringo.Loop, ln *sock.Listener) error {
			return sock.Serve(l, ln, &sock.Handler{Request: tellsLoop})
		},
		"SetIdle": func(_ *ringo.Loop, ln *sock.Listener) error {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetIdle(true)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ringo.ErrDraining) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				h := w.Host("here")
				server := h.Run(nil, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", ":7000")
					if err != nil {
						return err
					}
					return serve(l, ln)
				})
				w.RunFor(time.Second)
				peer := h.Run(nil, func(l *ringo.Loop) error {
					c, err := sock.Dial(l, "tcp", "here:7000")
					if err == nil {
						defer c.Close()
						c.Read(make([]byte, 1))
					}
					return err
				})
				w.RunFor(time.Second)
				begun := w.Elapsed()
				server.Drain()
				w.Check(w.Wait(server, peer))
				if d := w.Elapsed() - begun; d < 2*time.Second || d > 4*time.Second {
					w.Errorf("the drain took %v", d)
				}
			})
		})
	}
}

// What has not ended, for its host is down, says so, and not how its tasks were unwound.
func TestErrCrashed(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("h")
		p := h.Run(nil, func(l *ringo.Loop) error { return l.Sleep(time.Minute) })
		w.RunFor(time.Second)
		h.Crash()
		if err := w.Wait(p); !errors.Is(err, sim.ErrCrashed) {
			w.Errorf("a crashed program ended with %v", err)
		}
		h.Restart()
		w.RunFor(time.Second)
		w.Check(w.Wait(p))
	})
}

// A host that was to restart after the script's end stays down: what it would run had not been told to end.
func TestNoRestartAfterTheEnd(t *testing.T) {
	began := 0
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("h")
		h.Run(nil, func(l *ringo.Loop) error {
			began++
			for l.Sleep(time.Second) == nil {
			}
			return nil
		})
		w.RunFor(time.Minute)
		h.Crash()
		w.After(time.Second, h.Restart)
		other := w.Host("other") // gives the world time after the end
		other.Run(&ringo.Config{Grace: time.Minute}, func(l *ringo.Loop) error { return l.Sleep(10 * time.Second) })
	})
	if began != 1 {
		t.Errorf("the program began %d times, want once", began)
	}
}

// A host may crash while its tasks wait for locks, whose deferred functions run then.
func TestCrashInLocks(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, wait := range map[string]func(){
		"Mutex.Lock": func() {
			var m ringo.Mutex
			m.Lock()
			m.Lock()
		},
		"Mutex.LockContext": func() {
			var m ringo.Mutex
			m.Lock()
			defer m.Unlock()
			m.LockContext(ctx)
		},
		"Cond.Wait": func() {
			var m ringo.Mutex
			m.Lock()
			defer m.Unlock()
			ringo.NewCond(&m).Wait()
		},
		"Cond.WaitContext": func() {
			var m ringo.Mutex
			m.Lock()
			defer m.Unlock()
			ringo.NewCond(&m).WaitContext(ctx)
		},
		"Semaphore.Acquire": func() {
			s := ringo.NewSemaphore(1)
			s.Acquire(nil, 1)
			defer s.Release(1)
			s.Acquire(ctx, 1)
		},
		"WaitGroup.Wait": func() {
			var g ringo.WaitGroup
			g.Add(1)
			defer g.Done()
			g.Wait()
		},
		"WaitGroup.WaitContext": func() {
			var g ringo.WaitGroup
			g.Add(1)
			defer g.Done()
			g.WaitContext(ctx)
		},
		"Chan.Send": func() {
			c := ringo.NewChan[int](0)
			defer c.Close()
			c.Send(1)
		},
		"Chan.RecvContext": func() {
			c := ringo.NewChan[int](0)
			defer c.Close()
			c.RecvContext(ctx)
		},
		"Select": func() {
			c := ringo.NewChan[int](0)
			defer c.Close()
			var v int
			ringo.Select(ringo.RecvInto(c, &v), ringo.SendFrom(c, &v))
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				h := w.Host("here")
				ends, returned := 0, 0
				h.Run(nil, func(l *ringo.Loop) error {
					defer func() { ends++ }()
					wait()
					returned++
					return nil
				})
				w.RunFor(time.Second)
				h.Crash()
				w.RunFor(time.Second)
				if ends != 1 || returned != 0 {
					w.Errorf("%d tasks have ended, and %d waits returned", ends, returned)
				}
			})
		})
	}
}

// A loop whose last task ends with a write that was accepted ends with it: nothing else comes that could wake it.
func TestEndsBehindAcceptedWrite(t *testing.T) {
	here(t, func(_ *sim.World, l *ringo.Loop) error {
		a, _, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		l.Go(func() {
			l.Sleep(time.Second)
			io.WriteString(a, "last")
		})
		return nil
	})
}
