//go:build linux

package sim_test

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
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
			if _, err := c.Read(p); !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
				w.Errorf("a read from who is gone: %v", err)
			}
			if _, err := c.Write(p); !errors.Is(err, syscall.EPIPE) {
				w.Errorf("a write to who is gone: %v", err)
			}
			return c.Close()
		})
		w.Check(w.Wait(p))
	})
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
