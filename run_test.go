package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

func TestRunWithoutConfig(t *testing.T) {
	var loops atomic.Int64
	ended := make(chan error, 1)
	want := runtime.GOMAXPROCS(0)
	go func() {
		ended <- ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
			loops.Add(1)
			if l.Info().Name == "" || l.Info().Reason == "" {
				t.Errorf("Info: %+v, want a driver and why it was chosen", l.Info())
			}
			return nil
		})
	}()
	if err := receive(t, "the end of Run", ended); err != nil {
		t.Fatal(err)
	}
	equal(t, "loops", int(loops.Load()), want)
}

// fn runs once on each loop, at the same time.
func TestRunCallsFnOncePerLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 5
		var mu sync.Mutex
		var seen []int
		all := make(chan struct{})
		err := run(t, cfg, func(l *ringo.Loop) error {
			mu.Lock()
			seen = append(seen, l.Index())
			if len(seen) == cfg.Loops {
				close(all)
			}
			mu.Unlock()
			// Each loop waits here for all others: one after the other would hang.
			await(t, l, "the other loops", all)
			if loops := l.Loops(); len(loops) != cfg.Loops || loops[l.Index()] != l {
				t.Errorf("Loops of loop %d: %v", l.Index(), loops)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(seen)
		equalList(t, "loops", seen, []int{0, 1, 2, 3, 4})
	})
}

func TestSeveralRunsAtOnce(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const runs = 4
		cfg.Loops = 2
		var inside atomic.Int64
		all := make(chan struct{})
		var ends []<-chan error
		for range runs {
			ends = append(ends, start(context.Background(), cfg, func(l *ringo.Loop) error {
				if inside.Add(1) == int64(runs*cfg.Loops) {
					close(all)
				}
				await(t, l, "the loops of the other Runs", all)
				return nil
			}))
		}
		for _, end := range ends {
			if err := receive(t, "the end of Run", end); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRunsOneAfterTheOther(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for i := range 20 {
			ran := false
			mustRun(t, cfg, func(l *ringo.Loop) { ran = true })
			if !ran {
				t.Fatalf("Run %d did not run its function", i)
			}
		}
	})
}

func TestRunInsideOffload(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var inner *ringo.Loop
		mustRun(t, cfg, func(outer *ringo.Loop) {
			ticks := 0
			outer.Go(func() {
				for outer.Sleep(time.Millisecond) == nil && inner == nil {
					ticks++
				}
			})
			err := outer.Offload(func(ctx context.Context) error {
				return ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					// A task of the inner loop is a stranger to the outer one.
					if err := outer.Sleep(0); !errors.Is(err, ringo.ErrNotTask) {
						t.Errorf("the outer loop's Sleep: %v, want ErrNotTask", err)
					}
					done := make(chan struct{})
					outer.Post(func() { close(done) })
					await(t, l, "the outer loop's task", done)
					return l.Sleep(5 * time.Millisecond)
				})
			})
			if err != nil {
				t.Errorf("the inner Run: %v", err)
			}
			inner = outer
		})
	})
}

// What Run's context carries reaches the tasks.
func TestValuesOfRunsContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(context.Background(), key{}, "value")
	err := runContext(t, ctx, anyDriver(t), func(l *ringo.Loop) error {
		equal(t, "in fn", l.Context().Value(key{}), any("value"))
		l.Go(func() { equal(t, "in a task", l.Context().Value(key{}), any("value")) })
		l.Post(func() { equal(t, "in a post", l.Context().Value(key{}), any("value")) })
		return l.Offload(func(ctx context.Context) error {
			equal(t, "in Offload", ctx.Value(key{}), any("value"))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFirstErrorCancelsAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		var cancelled atomic.Int64
		var ready sync.WaitGroup
		ready.Add(2 * cfg.Loops)
		all := make(chan struct{})
		go func() { ready.Wait(); close(all) }()
		sleeper := func(l *ringo.Loop) error {
			ready.Done()
			err := l.Sleep(time.Hour)
			if errors.Is(err, context.Canceled) {
				cancelled.Add(1)
			}
			return err
		}
		cfg.Grace = time.Hour // which an error does not have
		err := run(t, cfg, func(l *ringo.Loop) error {
			l.Go(func() { sleeper(l) })
			switch l.Index() {
			case 1:
				ready.Done()
				await(t, l, "all tasks", all)
				return io.ErrUnexpectedEOF
			case 2:
				sleeper(l)
				return errors.New("a later error")
			}
			return fmt.Errorf("cancelled: %w", sleeper(l))
		})
		if err != io.ErrUnexpectedEOF {
			t.Errorf("Run: %v, want the first error alone", err)
		}
		equal(t, "cancelled tasks", cancelled.Load(), int64(2*cfg.Loops-1))
	})
}

// Once the context has ended, some errors only say so.
func TestOrderlyErrors(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		name    string
		err     error
		orderly bool
	}{
		{"nil", nil, true},
		{"net.ErrClosed", net.ErrClosed, true},
		{"wrapped net.ErrClosed", &net.OpError{Op: "accept", Err: net.ErrClosed}, true},
		{"context.Canceled", context.Canceled, true},
		{"context.DeadlineExceeded", fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{"another", other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, ended := range []bool{true, false} {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				cfg := anyDriver(t)
				err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
					if ended {
						cancel()
						drained(t, l)
					}
					return c.err
				})
				want := c.err
				if ended && c.orderly {
					want = nil
				}
				if err != want {
					t.Errorf("context ended: %v: Run gives %v, want %v", ended, err, want)
				}
			}
		})
	}
}

// drained returns when the loop has been told that Run's context has ended.
func drained(t testing.TB, l *ringo.Loop) {
	sleepUntil(t, l, "the drain", func() bool { return ringo.Draining(l) })
}
