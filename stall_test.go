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
			hold()
			for _, task := range all {
				task.Cancel()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.StallLimit = 5 * time.Millisecond
				release := make(chan struct{})
				var told atomic.Int64
				cfg.OnStall = func(l *ringo.Loop, d time.Duration, stack []byte) {
					if !strings.Contains(string(stack), "holdTheLoop") {
						return // another stall of a slow machine; this one is still to come
					}
					if d <= cfg.StallLimit {
						t.Errorf("a stall of %v", d)
					}
					if panics(func() { l.Sleep(0) }) == nil {
						t.Error("OnStall runs in a task")
					}
					if told.Add(1) == 1 {
						close(release)
					}
				}
				ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
					c.run(l, func() { holdTheLoop(release) })
					return nil
				})
				if err := patience.Recv(t, "word of holdTheLoop, which holds the loop", ended); err != nil {
					t.Error(err)
				}
				if n := told.Load(); n != 1 {
					t.Errorf("told %d times of one turn", n)
				}
			})
		})
	}
}

// A turn is told of once, however long it takes, and the next one again.
func TestOnStallIsCalledOncePerTurn(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = 5 * time.Millisecond
		var told atomic.Int64
		var release atomic.Pointer[func()]
		cfg.OnStall = func(_ *ringo.Loop, _ time.Duration, stack []byte) {
			if strings.Contains(string(stack), "holdTheLoop") {
				told.Add(1)
				time.AfterFunc(10*cfg.StallLimit, *release.Load()) // long enough for another call
			}
		}
		mustRun(t, cfg, func(l *ringo.Loop) {
			for want := int64(1); want <= 2; want++ {
				ch := make(chan struct{})
				letGo := sync.OnceFunc(func() { close(ch) })
				release.Store(&letGo)
				alarm := time.AfterFunc(limit, letGo)
				holdTheLoop(ch)
				alarm.Stop()
				l.Sleep(0)
				equal(t, "calls", told.Load(), want)
			}
		})
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
