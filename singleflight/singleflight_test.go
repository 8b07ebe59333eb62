package singleflight_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/singleflight"
)

func TestMain(m *testing.M) { testmain.Main(m) }

type group = singleflight.Group[string, int]

// run runs f in a task of two loops.
func run(t *testing.T, f func(l *ringo.Loop)) {
	t.Helper()
	patience.Within(t.Name(), func() {
		end := ringo.NewChan[bool](0)
		err := ringo.Run(t.Context(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				defer end.Close()
				f(l)
				return nil
			}
			if _, err := end.Recv(); err != ringo.ErrClosed {
				return err
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// start calls f as somebody: a task of either loop or a goroutine, by turns.
func start(l *ringo.Loop, i int, done *ringo.WaitGroup, f func()) {
	done.Add(1)
	call := func() { defer done.Done(); f() }
	if i%3 == 2 {
		go call()
		return
	}
	l.Loops()[i%3].Post(call)
}

func until(l *ringo.Loop, holds func() bool) {
	for !holds() {
		l.Sleep(10 * time.Microsecond)
	}
}

// All that ask while a call runs get its result, whoever began it and whoever they are; who asks later begins another.
func TestCallsTogether(t *testing.T) {
	for first := range 3 {
		run(t, func(l *ringo.Loop) {
			var g group
			release := ringo.NewChan[bool](0)
			ran := 0
			call := func(context.Context) (int, error) {
				ran++
				_, err := release.Recv()
				return 7, err
			}
			var done ringo.WaitGroup
			for i := range 6 {
				start(l, first+i, &done, func() {
					v, shared, err := g.Do(nil, "key", call)
					if v != 7 || !shared || err != nil {
						t.Errorf("Do: %d, %v, %v", v, shared, err)
					}
				})
				until(l, func() bool { return g.Waiting("key") == i+1 })
			}
			release.Send(true)
			done.Wait()
			if ran != 1 || g.Calls() != 0 {
				t.Errorf("the function has run %d times, %d calls are left", ran, g.Calls())
			}
			want := errors.New("the error")
			v, shared, err := g.Do(nil, "key", func(context.Context) (int, error) { return 1, want })
			if v != 1 || shared || err != want {
				t.Errorf("Do alone: %d, %v, %v", v, shared, err)
			}
		})
	}
}

// A caller that gives up leaves the call to the others, also the first one, whose context the function has the values
// of; without anybody it is over, and who asks then begins another.
func TestCallerGivesUp(t *testing.T) {
	type key struct{}
	for first := range 3 {
		run(t, func(l *ringo.Loop) {
			var g group
			release, ended := ringo.NewChan[bool](0), ringo.NewChan[error](1)
			call := func(ctx context.Context) (int, error) {
				if ctx.Value(key{}) != "value" {
					t.Errorf("the context has %v", ctx.Value(key{}))
				}
				if _, err := release.RecvContext(ctx); err != nil {
					for i := 0; ctx.Err() == nil; i++ { // it ends, too, a little later
						if here, _ := ringo.Current(); here != nil {
							here.Yield()
						}
						if runtime.Gosched(); i == 1_000_000 {
							t.Error("the wait has ended, and the context has not")
							break
						}
					}
					ended.TrySend(err)
					return 0, err
				}
				return 7, ctx.Err()
			}
			var done ringo.WaitGroup
			ctx, end := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
			ask := func(i int, ctx context.Context, want error) {
				start(l, i, &done, func() {
					if v, _, err := g.Do(ctx, "key", call); !errors.Is(err, want) || err == nil && v != 7 {
						t.Errorf("Do: %d, %v, want %v", v, err, want)
					}
				})
			}
			ask(first, ctx, context.Canceled)
			until(l, func() bool { return g.Waiting("key") == 1 })
			ask(first+1, nil, nil)
			until(l, func() bool { return g.Waiting("key") == 2 })
			end()
			until(l, func() bool { return g.Waiting("key") == 1 })
			release.Send(true)
			done.Wait()

			ctx, end = context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
			ask(first, ctx, context.Canceled)
			until(l, func() bool { return g.Waiting("key") == 1 })
			end()
			done.Wait()
			if err, _ := ended.Recv(); !errors.Is(err, context.Canceled) {
				t.Errorf("the context of a call for which nobody waits ended with %v", err)
			}
			if _, _, err := g.Do(ctx, "key", call); !errors.Is(err, context.Canceled) || g.Calls() != 0 {
				t.Errorf("Do with a context that has ended: %v, %d calls", err, g.Calls())
			}
		})
	}
}

// A task's timeout and cancel end its wait.
func TestTaskGivesUp(t *testing.T) {
	run(t, func(l *ringo.Loop) {
		var g group
		stuck := func(context.Context) (int, error) { return 0, l.Sleep(time.Hour) }
		err := l.WithTimeout(time.Millisecond, func() error { _, _, err := g.Do(nil, "key", stuck); return err })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Do in a WithTimeout: %v", err)
		}
		task := l.Go(func() {
			if _, _, err := g.Do(nil, "key", stuck); err != context.Canceled {
				t.Errorf("Do of a cancelled task: %v", err)
			}
		})
		until(l, func() bool { return g.Waiting("key") == 1 })
		task.Cancel()
		task.Wait()
	})
}

// A panic is that of all who wait, and of the task where nobody does.
func TestCallBreaks(t *testing.T) {
	for first := range 3 {
		run(t, func(l *ringo.Loop) {
			var g group
			release := ringo.NewChan[bool](0)
			var done ringo.WaitGroup
			for i := range 3 {
				start(l, first+i, &done, func() {
					defer func() {
						p, _ := recover().(*ringo.PanicError)
						if p == nil || p.Value != "the reason" || len(p.Stack) == 0 {
							t.Errorf("Do panicked with %v", p)
						}
					}()
					g.Do(nil, "key", func(context.Context) (int, error) {
						release.Recv()
						panic("the reason")
					})
				})
				until(l, func() bool { return g.Waiting("key") == i+1 })
			}
			release.Send(true)
			done.Wait()
			if g.Calls() != 0 {
				t.Error("a call that has panicked is there")
			}
		})
	}
	var g group
	var told any
	var err error
	cfg := ringo.Config{Loops: 1, OnPanic: func(_ *ringo.Loop, v any, _ []byte) { told = v }}
	patience.Within("a panic that no caller waits for", func() {
		err = ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			l.WithTimeout(time.Millisecond, func() error {
				_, _, err := g.Do(nil, "key", func(context.Context) (int, error) {
					l.Sleep(time.Hour)
					panic("the reason")
				})
				return err
			})
			until(l, func() bool { return told != nil })
			return nil
		})
	})
	if told != "the reason" || err != nil {
		t.Errorf("a panic that nobody waits for: told %v, Run gives %v", told, err)
	}
}

// What was forgotten has its own callers, and is not taken for the one that has begun since.
func TestForget(t *testing.T) {
	run(t, func(l *ringo.Loop) {
		var g group
		results := []*ringo.Chan[int]{ringo.NewChan[int](0), ringo.NewChan[int](0)}
		var done [2]ringo.WaitGroup
		for i, result := range results {
			done[i].Go(func() {
				v, _, err := g.Do(nil, "key", func(context.Context) (int, error) { return result.Recv() })
				if v != i || err != nil {
					t.Errorf("call %d: %d, %v", i, v, err)
				}
			})
			until(l, func() bool { return g.Waiting("key") == 1 })
			if i == 0 {
				g.Forget("key")
			}
		}
		results[0].Send(0)
		done[0].Wait()
		if g.Waiting("key") != 1 {
			t.Error("the call that was forgotten has ended the one that has begun since")
		}
		results[1].Send(1)
		done[1].Wait()
		if g.Calls() != 0 {
			t.Error("a call is left")
		}
	})
}

// Who has given up has not been given the result: it is not shared with him.
func TestSharedWithNobody(t *testing.T) {
	for first := range 3 {
		run(t, func(l *ringo.Loop) {
			var g group
			release := ringo.NewChan[bool](0)
			call := func(context.Context) (int, error) { _, err := release.Recv(); return 7, err }
			ctx, end := context.WithCancel(context.Background())
			var done ringo.WaitGroup
			start(l, first, &done, func() {
				if _, _, err := g.Do(ctx, "key", call); !errors.Is(err, context.Canceled) {
					t.Errorf("Do of who gives up: %v", err)
				}
			})
			until(l, func() bool { return g.Waiting("key") == 1 })
			start(l, first+1, &done, func() {
				if v, shared, err := g.Do(nil, "key", call); v != 7 || shared || err != nil {
					t.Errorf("Do: %d, %v, %v", v, shared, err)
				}
			})
			until(l, func() bool { return g.Waiting("key") == 2 })
			end()
			until(l, func() bool { return g.Waiting("key") == 1 })
			release.Send(true)
			done.Wait()
		})
	}
}

// A function that ends its task or goroutine is an error.
func TestGoexit(t *testing.T) {
	fn := func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }
	for first := range 3 {
		run(t, func(l *ringo.Loop) {
			var g group
			var done ringo.WaitGroup
			start(l, first, &done, func() {
				if _, _, err := g.Do(nil, "key", fn); !errors.Is(err, ringo.ErrGoexit) {
					t.Errorf("Do of a function that calls Goexit: %v", err)
				}
			})
			done.Wait()
			if g.Calls() != 0 {
				t.Error("a call is left")
			}
		})
	}
}

// A key that is not equal to itself has a call for each that asks, of which nothing is kept.
func TestNaN(t *testing.T) {
	var g singleflight.Group[float64, int]
	for range 3 {
		g.Do(nil, math.NaN(), func(context.Context) (int, error) { return 1, nil })
	}
	if g.Calls() != 0 {
		t.Errorf("%d calls are left", g.Calls())
	}
}

// With timeouts at all moments each gets what its key's call gave, or its own timeout, and nothing is left.
func TestStorm(t *testing.T) {
	run(t, func(l *ringo.Loop) {
		var g singleflight.Group[int, int]
		var running atomic.Int32
		var done ringo.WaitGroup
		for i := range 12 {
			start(l, i, &done, func() {
				for n := range 300 {
					key := rand.IntN(4)
					soon := time.Duration(rand.IntN(300)) * time.Microsecond
					ctx, end := context.WithTimeout(context.Background(), soon)
					if n%3 == 0 {
						ctx = nil
					}
					v, _, err := g.Do(ctx, key, func(ctx context.Context) (int, error) {
						running.Add(1)
						defer running.Add(-1)
						pause(rand.IntN(3))
						return key, ctx.Err()
					})
					if err == nil && v != key {
						t.Errorf("key %d has %d", key, v)
					}
					if err != nil && (ctx == nil || !errors.Is(err, context.DeadlineExceeded)) {
						t.Errorf("Do: %v", err)
					}
					end()
				}
			})
		}
		done.Wait()
		until(l, func() bool { return g.Calls() == 0 && running.Load() == 0 })
	})
}

// pause lets others run for a while, as a task or a goroutine.
func pause(n int) {
	if l, _ := ringo.Current(); l != nil {
		l.Sleep(time.Duration(n) * 50 * time.Microsecond)
		return
	}
	for range n * 20 {
		runtime.Gosched()
	}
}
