package ringo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"ringo"
)

// These tests share plain variables between loops and goroutines, with nothing but
// Ringo to order the accesses. Under -race each missing edge is a report.

func TestOrderByPost(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		const rounds = 3000
		count := 0 // goes round the loops with a post
		beside(t, cfg, func(l *ringo.Loop) {
			done := make(chan struct{})
			var pass func(at *ringo.Loop)
			pass = func(at *ringo.Loop) {
				count++
				if count == rounds {
					close(done)
					return
				}
				next := at.Loops()[(at.Index()+1)%3]
				if err := next.Post(func() { pass(next) }); err != nil {
					t.Error(err)
				}
			}
			pass(l)
			await(t, l, "the last post", done)
		})
		equal(t, "count", count, rounds)
	})
}

func TestOrderByGoAndWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			other := l.Loops()[1]
			value := 0
			for i := range 500 {
				value = i
				task := other.Go(func() {
					if value != i {
						t.Errorf("the task sees %d, want %d", value, i)
					}
					value = -i
				})
				task.Wait()
				if value != -i {
					t.Errorf("after Wait: %d, want %d", value, -i)
				}
			}
			// Several that wait for one, on different threads.
			task := other.Go(func() { other.Sleep(time.Millisecond); value = 1000 })
			check := func() {
				if task.Wait(); value != 1000 {
					t.Error("a waiter does not see what the task wrote")
				}
			}
			var outside sync.WaitGroup
			outside.Go(check)
			second := other.Go(check)
			check()
			second.Wait()
			l.Offload(func(context.Context) error { outside.Wait(); return nil })
		})
	})
}

func TestOrderByOffload(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			value := 0
			for i := range 500 {
				value++
				l.Offload(func(context.Context) error { value += i; return nil })
				l.Compute(func(context.Context) error { value -= i; return nil })
			}
			equal(t, "value", value, 500)
		})
	})
}

// Tasks of one loop need no order but that of the loop: they are one thread.
func TestOrderWithinALoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		value := 0
		fnReturned := false
		mustRun(t, cfg, func(l *ringo.Loop) {
			step := func() { value++ }
			for range 100 {
				l.Go(func() {
					step()
					l.Sleep(0)
					step()
					l.AfterFunc(0, step)
					l.Post(step)
					iterator(func() { l.Sleep(0); step() })
				})
			}
			sleepUntil(t, l, "all steps", func() bool { return value == 500 })
			fnReturned = true
		})
		if !fnReturned || value != 500 { // Run's return is after everything
			t.Error("not seen after Run")
		}
	})
}

// The first task sees what was before Run, and what a cancel says was before it.
func TestOrderByRunAndCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before, reason := 1, 0
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			equal(t, "before Run", before, 1)
			task := l.Loops()[1].Go(func() {
				if l.Loops()[1].Sleep(time.Hour); reason != 7 {
					t.Error("a cancelled task does not see what was before the cancel")
				}
			})
			l.Sleep(time.Millisecond)
			reason = 7
			task.Cancel()
			task.Wait()
		})
	})
}
