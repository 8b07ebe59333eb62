package ringo_test

import (
	"context"
	"iter"
	"runtime"
	"testing"
	"time"

	"ringo"
)

// goexits are the ways of a task to end by runtime.Goexit. A function calls ran
// for each thing that must still happen.
var goexits = []struct {
	name string
	runs int // how often ran must have been called
	fn   func(l *ringo.Loop, ran func())
}{
	{"plainly", 0, func(l *ringo.Loop, ran func()) { runtime.Goexit() }},
	{"after a wait", 0, func(l *ringo.Loop, ran func()) { l.Sleep(0); runtime.Goexit() }},
	{"with a deferred function", 1, func(l *ringo.Loop, ran func()) { defer ran(); runtime.Goexit() }},
	{"in a deferred function", 2, func(l *ringo.Loop, ran func()) {
		defer ran()
		defer func() { defer ran(); runtime.Goexit() }()
	}},
	{"twice", 2, func(l *ringo.Loop, ran func()) {
		defer func() { defer ran(); runtime.Goexit() }()
		defer ran()
		runtime.Goexit()
	}},
	{"with a deferred function that waits", 3, func(l *ringo.Loop, ran func()) {
		defer func() {
			if l.Sleep(time.Millisecond) == nil {
				ran()
			}
			l.Offload(func(context.Context) error { ran(); return nil })
			l.Go(ran).Wait()
		}()
		runtime.Goexit()
	}},
	{"with a deferred function that recovers", 1, func(l *ringo.Loop, ran func()) {
		defer func() {
			if recover() == nil { // there is nothing to recover, and it goes on
				ran()
			}
		}()
		runtime.Goexit()
	}},
	{"out of a panic", 1, func(l *ringo.Loop, ran func()) {
		defer func() { defer ran(); runtime.Goexit() }()
		panic("forgotten")
	}},
	{"in an iterator", 1, func(l *ringo.Loop, ran func()) {
		next, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
			defer ran()
			l.Sleep(0)
			runtime.Goexit()
		}))
		next()
	}},
	{"in an iterator in an iterator", 2, func(l *ringo.Loop, ran func()) {
		outer, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
			defer ran()
			inner, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
				defer ran()
				l.Sleep(0)
				runtime.Goexit()
			}))
			inner()
		}))
		outer()
	}},
}

// Goexit ends its task and nothing else: the loop, the other tasks and what was
// deferred go on, whoever waits is told, and no coroutine is left.
func TestGoexit(t *testing.T) {
	for _, c := range goexits {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := runtime.NumGoroutine()
				mustRun(t, cfg, func(l *ringo.Loop) {
					var ran, posted int
					over := false
					other := l.Go(func() {
						for !over {
							l.Sleep(100 * time.Microsecond)
						}
					})
					for i := range 5 {
						task := l.Go(func() { c.fn(l, func() { ran++ }); t.Error("it returned") })
						if err := task.Wait(); err != ringo.ErrGoexit {
							t.Errorf("Wait: %v, want ErrGoexit", err)
						}
						if err := l.Post(func() {
							posted++
							c.fn(l, func() { ran++ })
							t.Error("it returned")
						}); err != nil {
							t.Error(err)
						}
						sleepUntil(t, l, "the end of the post", func() bool {
							return posted == i+1 && l.Stats().Tasks == 2
						})
					}
					equal(t, "what must still run", ran, 10*c.runs)
					over = true
					if err := other.Wait(); err != nil {
						t.Errorf("another task: %v", err)
					}
					if n := l.Stats().Workers; n > 4 {
						t.Errorf("%d coroutines, though there were never more than four tasks", n)
					}
				})
				eventually(t, "the end of all coroutines", func() bool { return runtime.NumGoroutine() <= before })
			})
		})
	}
}

// A cancelled task may end that way, too, in whatever it does about the cancel.
func TestGoexitWhileCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			cleaned := 0
			task := l.Go(func() {
				defer func() {
					if l.Sleep(0) == context.Canceled && l.Go(func() { cleaned++ }).Wait() == nil {
						cleaned++
					}
				}()
				if l.Sleep(time.Hour) != nil {
					runtime.Goexit()
				}
			})
			l.Sleep(0)
			task.Cancel()
			if err := task.Wait(); err != ringo.ErrGoexit {
				t.Errorf("Wait: %v", err)
			}
			equal(t, "clean-up steps", cleaned, 2)
		})
	})
}

// Tests fail in tasks, from helpers, and what they deferred runs.
func TestFailNowInTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 3 {
				inner := new(testing.T) // its own FailNow, which is Goexit
				cleaned := false
				task := l.Go(func() {
					defer func() { l.Sleep(0); cleaned = true }()
					inner.FailNow()
				})
				if err := task.Wait(); err != ringo.ErrGoexit || !inner.Failed() || !cleaned {
					t.Errorf("Wait: %v, failed: %v, cleaned: %v", err, inner.Failed(), cleaned)
				}
			}
		})
	})
}

// A Goexit among many tasks loses none of the others, nor their order.
func TestGoexitAmongMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var order, want []int
			for i := range 1000 {
				l.Go(func() {
					order = append(order, i)
					if i%3 == 0 {
						runtime.Goexit()
					}
					if i%3 == 1 {
						l.Sleep(0)
					}
				})
				want = append(want, i)
			}
			sleepUntil(t, l, "all tasks", func() bool { return l.Stats().Tasks == 1 })
			equalList(t, "the order of starts", order, want)
		})
	})
}
