//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/driver"
	"ringo/internal/driver/sim"
	"ringo/internal/loop"
	"ringo/internal/memkernel"
	"ringo/internal/world"
	"ringo/sock"
)

// inMemory runs fn on a loop whose kernel, sockets and clock are in memory.
func inMemory(t *testing.T, seed uint64, fn func(l *ringo.Loop) error) (*world.World, error) {
	w := world.New(seed)
	h := memkernel.NewNetwork(w).Host("here")
	wall := func() time.Time { return time.Unix(0, w.Now()) }
	epoch := wall()
	cfg := &loop.Config{
		Loops: 1, Entries: 64, Buffers: 64, BufferSize: 4096, Leases: 4, Budget: 256, Offload: 4, Grace: time.Second,
		HardStop: 5 * time.Second, Stall: -1, Kernel: h, Warn: t.Logf, Clock: wall,
		Since: func(at time.Time) time.Duration { return wall().Sub(at) },
		Open: func(dc driver.Config) (driver.Driver, error) {
			return sim.Open(sim.Config{Config: dc, Host: h, World: w, Sleep: func(until int64, wanted func() bool) {
				for !wanted() {
					if w.Step(until) {
						continue
					}
					if until == driver.Forever {
						panic("all tasks wait, and nothing will ever happen")
					}
					w.MoveTo(until)
					return
				}
			}})
		},
	}
	err := loop.Run(context.Background(), cfg, func(e *loop.Loop) error { return fn((*ringo.Loop)(e)) })
	if n := h.Open(); n != 0 {
		t.Errorf("%d descriptors are left", n)
	}
	if wall().Before(epoch) {
		t.Error("the clock went back")
	}
	return w, err
}

// The engine and this package run unchanged on a kernel in memory: 100 clients ask a server once an hour for six weeks.
func TestInMemory(t *testing.T) {
	asked := 0
	w, err := inMemory(t, 1, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:7000")
		if err != nil {
			return err
		}
		l.Go(func() {
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return
				}
				l.Go(func() { defer c.Close(); io.Copy(c, c) })
			}
		})
		clients := ringo.NewGroup(l)
		for range 100 {
			clients.Go(func() error {
				c, err := sock.Dial(l, "tcp", "127.0.0.1:7000")
				if err != nil {
					return err
				}
				defer c.Close()
				p := make([]byte, 64)
				for i := range 1000 {
					question := fmt.Sprintf("question %d", i)
					if _, err := c.Write([]byte(question)); err != nil {
						return err
					}
					if _, err := io.ReadFull(c, p[:len(question)]); err != nil {
						return err
					}
					if got := string(p[:len(question)]); got != question {
						return fmt.Errorf("%q came back as %q", question, got)
					}
					asked++
					if err := l.Sleep(time.Hour); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := clients.Wait(); err != nil {
			return err
		}
		return ln.Close()
	})
	if err != nil || asked != 100_000 {
		t.Errorf("%d questions, %v", asked, err)
	}
	if took := time.Duration(w.Now() - world.Start); took < 1000*time.Hour || took > 1001*time.Hour {
		t.Errorf("it took %v", took)
	}
}

// Limits of time, cancels and ends are what they are on a real kernel.
func TestEndsInMemory(t *testing.T) {
	_, err := inMemory(t, 1, func(l *ringo.Loop) error {
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
			t.Errorf("a read for a minute: %v", err)
		}
		reads := l.Go(func() {
			if _, err := c.Read(p); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled read: %v", err)
			}
		})
		l.Sleep(time.Second)
		reads.Cancel()
		reads.Wait()

		sent := l.Go(func() {
			defer s.CloseWrite()
			if n, err := s.Write(make([]byte, 4<<20)); n != 4<<20 || err != nil {
				t.Errorf("a write of more than there is room for: %d, %v", n, err)
			}
		})
		got := 0
		for err = nil; err == nil; {
			var n int
			n, err = c.Read(p)
			got += n
		}
		if sent.Wait(); got != 4<<20 || err != io.EOF {
			t.Errorf("%d bytes came, then %v", got, err)
		}
		if _, err := c.Write([]byte("unread")); err != nil {
			t.Errorf("a write: %v", err)
		}
		l.Sleep(time.Second)
		s.Close() // with something unread: the peer hears of it
		l.Sleep(time.Second)
		if _, err := c.Read(p); !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
			t.Errorf("a read from who is gone: %v", err)
		}
		if _, err := c.Write(p); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("a write to who is gone: %v", err)
		}
		return c.Close()
	})
	if err != nil {
		t.Error(err)
	}
}
