package ringo_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
)

// compute keeps the thread busy.
func compute(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}

func TestStallsAreCounted(t *testing.T) {
	const stall = 10 * time.Millisecond
	for _, c := range []struct {
		name string
		hold func(l *ringo.Loop)
	}{
		{"in the first turn", func(l *ringo.Loop) { compute(2 * stall) }},
		{"in a later turn", func(l *ringo.Loop) { l.Sleep(0); compute(2 * stall) }},
		{"before a Sleep", func(l *ringo.Loop) { compute(2 * stall); l.Sleep(0) }},
		{"before an AfterFunc", func(l *ringo.Loop) { compute(2 * stall); l.AfterFunc(0, func() {}) }},
		{"by a wait outside Ringo", func(l *ringo.Loop) { <-time.After(2 * stall) }},
		{"by several tasks", func(l *ringo.Loop) {
			for range 4 {
				l.Go(func() { compute(stall/2 + time.Millisecond) })
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.StallLimit = stall
				cfg.OnStall = func(*ringo.Loop, time.Duration, []byte) {}
				var l *ringo.Loop
				mustRun(t, cfg, func(loop *ringo.Loop) { l = loop; c.hold(l) })
				if n := l.Stats().Stalls; n == 0 {
					t.Error("no stall counted")
				}
				cfg.StallLimit = -1
				cfg.OnStall = func(*ringo.Loop, time.Duration, []byte) {
					t.Error("told of a stall that nobody looks for")
				}
				mustRun(t, cfg, func(loop *ringo.Loop) { l = loop; c.hold(l) })
				equal(t, "stalls counted without a limit", l.Stats().Stalls, 0)
			})
		})
	}
}

// holdTheLoop is a name to find in a stack.
func holdTheLoop(release <-chan struct{}) { <-release }

// stalled runs a program that calls hold, which holds the loop until OnStall is called for that. It may be called for
// something else, where the machine is slow, and then no more in that turn: the program runs again, with a longer
// limit.
func stalled(t *testing.T, cfg ringo.Config, run func(l *ringo.Loop, hold func())) {
	t.Helper()
	for cfg.StallLimit = 5 * time.Millisecond; ; cfg.StallLimit *= 2 {
		release := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(release) })
		var told, other atomic.Int64
		cfg.OnStall = func(l *ringo.Loop, d time.Duration, stack []byte) {
			defer letGo()
			if !strings.Contains(string(stack), "holdTheLoop") {
				other.Add(1)
				return
			}
			told.Add(1)
			if d <= cfg.StallLimit {
				t.Errorf("a stall of %v", d)
			}
			if panics(func() { l.Sleep(0) }) == nil {
				t.Error("OnStall runs in a task")
			}
		}
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			run(l, func() { holdTheLoop(release) })
			return nil
		})
		if err := patience.Recv(t, "word of holdTheLoop, which holds the loop", ended); err != nil {
			t.Fatal(err)
		}
		switch n := told.Load(); {
		case n > 1:
			t.Fatalf("told %d times of one turn", n)
		case n == 0 && other.Load() == 0:
			t.Fatal("told of nothing")
		case n == 1:
			return
		}
	}
}

func TestOnStallShowsWhoHoldsTheLoop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		run  func(l *ringo.Loop, hold func())
	}{
		{"fn, in the first turn", func(l *ringo.Loop, hold func()) { hold() }},
		{"fn, in a later turn", func(l *ringo.Loop, hold func()) { l.Sleep(0); hold() }},
		{"a task", func(l *ringo.Loop, hold func()) { l.Go(hold) }},
		{"a task that has parked", func(l *ringo.Loop, hold func()) { l.Go(func() { l.Sleep(0); hold() }) }},
		{"a post", func(l *ringo.Loop, hold func()) { l.Post(hold) }},
		{"an iterator in a task", func(l *ringo.Loop, hold func()) {
			next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) { hold(); yield(1) }))
			defer stop()
			next()
		}},
		{"beside thousands of parked tasks", func(l *ringo.Loop, hold func()) {
			all := make([]*ringo.Task, 3000)
			for i := range all {
				all[i] = l.Go(func() { l.Sleep(time.Hour) })
			}
			l.Sleep(0)
			l.Sleep(0) // all have begun
			hold()
			for _, task := range all {
				task.Cancel()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				stalled(t, cfg, c.run)
			})
		})
	}
}

// A turn is told of once, however long it takes, and the next one again.
func TestOnStallIsCalledOncePerTurn(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told, other atomic.Int64
		var release atomic.Pointer[func()]
		cfg.OnStall = func(_ *ringo.Loop, _ time.Duration, stack []byte) {
			letGo := *release.Load()
			if strings.Contains(string(stack), "holdTheLoop") {
				told.Add(1)
				time.AfterFunc(10*cfg.StallLimit, letGo) // long enough for another call
			} else {
				other.Add(1) // of a slow machine: nobody will be told of this turn again
				letGo()
			}
		}
		for cfg.StallLimit = 5 * time.Millisecond; ; cfg.StallLimit *= 2 {
			told.Store(0)
			other.Store(0)
			nothing := func() {}
			release.Store(&nothing)
			mustRun(t, cfg, func(l *ringo.Loop) {
				for range 2 {
					ch := make(chan struct{})
					letGo := sync.OnceFunc(func() { close(ch) })
					release.Store(&letGo)
					holdTheLoop(ch)
					l.Sleep(0)
				}
			})
			if n := told.Load(); n > 2 || n < 2 && other.Load() == 0 {
				t.Fatalf("told %d times of two turns", n)
			} else if n == 2 {
				return
			}
		}
	})
}

// Sleeping is no stall, nor is a call of Offload.
func TestSleepIsNoStall(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = 10 * time.Millisecond
		cfg.OnStall = func(_ *ringo.Loop, d time.Duration, stack []byte) { t.Errorf("%v\n%s", d, stack) }
		mustRun(t, cfg, func(l *ringo.Loop) {
			l.Sleep(60 * time.Millisecond)
			l.Offload(func(context.Context) error { <-time.After(60 * time.Millisecond); return nil })
		})
	})
}
