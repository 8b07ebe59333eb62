//go:build linux

package service_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/service"
)

// loops runs so many, which Each watches, until the test ends it.
type loops struct {
	all []*ringo.Loop
	end func()
}

func begin(t *testing.T, cfg ringo.Config, n int) *loops {
	t.Helper()
	cfg.Loops, cfg.StallLimit, cfg.HoldLimit = n, -1, -1
	begun, ended := make(chan *ringo.Loop, n), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			begun <- l
			l.Draining().Recv()
			return nil
		})
	}()
	r := &loops{all: make([]*ringo.Loop, n)}
	r.end = sync.OnceFunc(func() {
		cancel()
		if err := patience.Recv(t, "the end of the Run", ended); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.end)
	for range n {
		l := patience.Recv(t, "a loop", begun)
		r.all[l.Index()] = l
	}
	return r
}

// hold has a task of a loop compute until it is let go.
func hold(t *testing.T, l *ringo.Loop) (release func()) {
	held := make(chan struct{})
	var free atomic.Bool
	l.Go(func() {
		close(held)
		for !free.Load() {
		}
	})
	patience.Recv(t, "a loop that is held", held)
	release = func() { free.Store(true) }
	t.Cleanup(release)
	return release
}

// Pings come while all loops turn, stop while one is held, and go on after that. What counts the time for which there
// are none is another manager's pings, which need the other loop alone.
func TestPings(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		t.Setenv("WATCHDOG_USEC", "20000")
		t.Setenv("WATCHDOG_PID", "")
		r := begin(t, cfg, 2)
		one := supervise(t, false)
		free := open(t)
		both := supervise(t, false)
		var log syncBuffer
		m, err := service.New(&service.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		free.Watch(r.all[0])
		m.Watch(r.all[0])
		m.Watch(r.all[1])
		m.Watch(r.all[1])
		both.wants("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
		release := hold(t, r.all[1])
		one.upTo(free, "held")
		both.upTo(m, "held")
		for range 10 {
			one.wants("WATCHDOG=1")
		}
		if n := both.upTo(m, "held"); n > 1 { // one was on its way
			t.Errorf("%d pings while a loop was held", n)
		}
		release()
		both.wants("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
		if !strings.Contains(log.String(), "the manager gets no ping") {
			t.Errorf("the log says %q", log.String())
		}
		if err := m.Replaced(9); err != nil {
			t.Error(err)
		}
		for text := "WATCHDOG=1"; text != "MAINPID=9\nREADY=1\nWATCHDOG=1"; {
			if text != "WATCHDOG=1" {
				t.Fatalf("the manager got %q", text)
			}
			text, _ = both.receive()
		}
		one.upTo(free, "replaced")
		for range 5 {
			one.wants("WATCHDOG=1")
		}
		r.end()
		if n := both.upTo(m, "over"); n > 1 { // one was on its way; and it does not stop
			t.Errorf("%d pings of a process that was replaced", n)
		}
	})
}

// upTo takes the pings that came before a word of the manager's, and counts them.
func (s *supervisor) upTo(m *service.Manager, word string) (pings int) {
	s.t.Helper()
	said := make(chan error, 1)
	go func() { said <- m.Status(word) }() // which waits while there is no room for it
	defer func() {
		if err := <-said; err != nil {
			s.t.Error(err)
		}
	}()
	for {
		switch text, _ := s.receive(); text {
		case "STATUS=" + word:
			return pings
		case "WATCHDOG=1":
			pings++
		default:
			s.t.Fatalf("the manager got %q", text)
		}
	}
}

// A ping costs each loop one wake, and nothing else does.
func TestPingsAreCheap(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		t.Setenv("WATCHDOG_USEC", "20000")
		t.Setenv("WATCHDOG_PID", "")
		s := supervise(t, false)
		r := begin(t, cfg, 1)
		m := open(t)
		m.Watch(r.all[0])
		s.wants("WATCHDOG=1")
		before := r.all[0].Stats().Driver.Wakes
		pings := s.upTo(m, "begin")
		for range 20 {
			s.wants("WATCHDOG=1")
			pings++
		}
		wakes := r.all[0].Stats().Driver.Wakes - before
		pings += s.upTo(m, "end")
		if wakes > 2*uint64(pings)+10 { // on a busy machine a round may come too late for a ping
			t.Errorf("%d wakes for %d pings", wakes, pings)
		}
	})
}

// A task of each loop is what Turned waits for: it names the loop that is held, has one task of it at a time, and a
// loop that ends is none that is waited for.
func TestTurned(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r := begin(t, cfg, 2)
		m := open(t)
		for _, l := range r.all {
			m.Watch(l)
		}
		if err := m.Turned(nil); err != nil {
			t.Error(err)
		}
		if err := r.all[0].Call(func() error { return m.Turned(nil) }); err != nil {
			t.Errorf("in a task: %v", err)
		}
		release := hold(t, r.all[1])
		over, cancel := context.WithCancel(t.Context())
		cancel()
		var err error
		patience.Until(t, "a round that waits for the loop", func() bool {
			err = m.Turned(over)
			return strings.Contains(err.Error(), "no turn of loop 1 of Run")
		})
		first := m.LastRound()
		for range 5 {
			err = m.Turned(over)
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no turn of loop 1") {
				t.Errorf("a loop is held: %v", err)
			}
		}
		if m.LastRound() != first {
			t.Error("a loop that is held has more than one task")
		}
		release()
		if err := m.Turned(nil); err != nil {
			t.Error(err)
		}
		r.end()
		if err := m.Turned(nil); err != nil {
			t.Errorf("behind the loops' end: %v", err)
		}
	})
}

// A call that is late at once, and the first of its Manager, has no round to tell of.
func TestTurnedLate(t *testing.T) {
	late, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // a place is free, too, and select takes either
		if err := open(t).Turned(late); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
