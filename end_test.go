package ringo_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// A context that has ended still lets fn run, into a drain.
func TestContextEndedBeforeRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			ran = true
			if err := l.Context().Err(); err != nil {
				t.Errorf("the task's context: %v; it must outlive the drain", err)
			}
			return l.Sleep(time.Millisecond)
		})
		if err != nil || !ran {
			t.Errorf("Run: %v, fn ran: %v", err, ran)
		}
	})
}

// Tasks have Grace to end by themselves, and then are cancelled.
func TestGrace(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = 500 * time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var short, long error
		var ended time.Time
		var took time.Duration
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			l.Go(func() { short = l.Sleep(10 * time.Millisecond) })
			l.Go(func() {
				long = l.Sleep(time.Hour)
				took = time.Since(ended)
			})
			ended = time.Now()
			cancel()
			return nil
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if short != nil {
			t.Errorf("a task that ended within Grace: %v", short)
		}
		if !errors.Is(long, context.Canceled) || took < cfg.Grace {
			t.Errorf("a task that did not: %v after %v, want a cancel after %v", long, took, cfg.Grace)
		}
	})
}

func TestNegativeGrace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		cfg.Loops = 2
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		began := time.Now()
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				cancel()
			}
			return l.Sleep(time.Hour)
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// What starts when all is being cancelled starts cancelled, and runs.
func TestTaskStartedAfterCancelOfAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var late, posted, offloaded error
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			cancel()
			l.Sleep(time.Hour)
			l.Go(func() { late = l.Sleep(time.Hour) })
			l.Post(func() { posted = l.Context().Err() })
			return l.Go(func() {
				offloaded = l.Offload(func(context.Context) error { t.Error("Offload ran"); return nil })
			}).Wait()
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, err := range []error{late, posted, offloaded} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a late task's wait: %v, want context.Canceled", err)
			}
		}
	})
}

// A loop ends with its own fn and tasks; the others go on.
func TestLoopsEndOneByOne(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		mustRun(t, cfg, func(l *ringo.Loop) {
			if l.Index() == 0 {
				return
			}
			first := l.Loops()[0]
			sleepUntil(t, l, "the end of loop 0", func() bool { return first.Post(func() {}) != nil })
			if err := first.Post(func() {}); err != ringo.ErrEnded {
				t.Errorf("Post to a loop that ended: %v", err)
			}
			if err := first.Go(func() { t.Error("it ran") }).Wait(); err != ringo.ErrEnded {
				t.Errorf("Wait for a task of a loop that ended: %v", err)
			}
		})
	})
}

func TestAfterTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var l *ringo.Loop
		var task *ringo.Task
		var ticker *ringo.Ticker
		var timer *ringo.Timer
		mustRun(t, cfg, func(loop *ringo.Loop) {
			l, timer, ticker = loop, loop.AfterFunc(time.Hour, func() {}), loop.NewTicker(time.Hour)
			task = l.Go(func() {})
			task.Wait()
		})
		if err := task.Wait(); err != nil {
			t.Errorf("Wait for a task that had ended: %v", err)
		}
		task.Cancel()
		if err := l.Post(func() { t.Error("posted after the end") }); err != ringo.ErrEnded {
			t.Errorf("Post: %v", err)
		}
		late := l.Go(func() { t.Error("started after the end") })
		late.Cancel()
		if err := late.Wait(); err != ringo.ErrEnded {
			t.Errorf("Wait: %v", err)
		}
		for name, f := range taskOnly(l, timer, ticker, ringo.NewGroup(l)) {
			if got := f(); got != ringo.ErrEnded && got != "ringo: "+name+" after the loop has ended" {
				t.Errorf("%s: %v, want ErrEnded or a panic that says so", name, got)
			}
		}
		if s := l.Stats(); s.Turns == 0 || s.Parks == 0 || s.Tasks != 0 {
			t.Errorf("Stats: %+v, want those of the last turn", s)
		}
		if l.Info().Name == "" || len(l.Loops()) != 1 {
			t.Error("Info or Loops have nothing to say any more")
		}
	})
}

// The goroutines of a Run are gone when it returns: the loops', the coroutines'.
func TestRunLeavesNoGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := runtime.NumGoroutine()
		var most atomic.Int64
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 500 {
				l.Go(func() {
					l.Sleep(time.Millisecond)
					most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
				})
			}
			l.Go(func() { runtime.Goexit() })
			l.Offload(func(context.Context) error { return nil })
		})
		if most.Load() < 500 {
			t.Fatalf("%d goroutines at most: this test sees no coroutines", most.Load())
		}
		eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
	})
}

func TestFnEndsByGoexit(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		err := run(t, cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				return l.Sleep(time.Hour)
			}
			runtime.Goexit()
			return nil
		})
		if err != ringo.ErrGoexit {
			t.Errorf("Run: %v, want ErrGoexit", err)
		}
	})
}

func TestFnPanics(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told atomic.Int64
		cfg.OnPanic = func(*ringo.Loop, any, []byte) { told.Add(1) }
		err := run(t, cfg, func(l *ringo.Loop) error { panic("on purpose") })
		var p *ringo.PanicError
		if !errors.As(err, &p) || p.Value != "on purpose" || !strings.Contains(string(p.Stack), "TestFnPanics") {
			t.Errorf("Run: %v", err)
		}
		equal(t, "calls of OnPanic", told.Load(), 1)
	})
}
