package ringo_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"ringo"
)

// countdown yields n to 1, waiting on the loop before each.
func countdown(t *testing.T, l *ringo.Loop, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; n > 0; n-- {
			if err := l.Sleep(100 * time.Microsecond); err != nil {
				t.Errorf("Sleep in an iterator: %v", err)
			}
			if !yield(n) {
				return
			}
		}
	}
}

// doubled pulls from another iterator, and waits itself.
func doubled(l *ringo.Loop, seq iter.Seq[int]) iter.Seq[int] {
	return func(yield func(int) bool) {
		next, stop := iter.Pull(seq)
		defer stop()
		for v, ok := next(); ok; v, ok = next() {
			l.Sleep(0)
			if !yield(2 * v) {
				return
			}
		}
	}
}

// An iterator that a task pulls is a coroutine of its own, and what it calls of
// Ringo is the task's.
func TestIterators(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			pull := func(seq iter.Seq[int]) (got []int) {
				next, stop := iter.Pull(seq)
				defer stop()
				for v, ok := next(); ok; v, ok = next() {
					got = append(got, v)
				}
				return got
			}
			for range 3 { // tasks whose iterators wait at the same time
				l.Go(func() { equalList(t, "one level", pull(countdown(t, l, 5)), []int{5, 4, 3, 2, 1}) })
				l.Go(func() { equalList(t, "two levels", pull(doubled(l, countdown(t, l, 3))), []int{6, 4, 2}) })
				l.Go(func() {
					equalList(t, "three levels", pull(doubled(l, doubled(l, countdown(t, l, 2)))), []int{8, 4})
				})
				l.Post(func() { equalList(t, "in a post", pull(countdown(t, l, 2)), []int{2, 1}) })
			}
		})
	})
}

// An iterator may be made in one turn and resumed in another, stopped half-way,
// and handed to another task of the loop.
func TestIteratorOutlivesItsTurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			cleaned := false
			next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
				defer func() { l.Sleep(0); cleaned = true }()
				for v := range countdown(t, l, 10) {
					if !yield(v) {
						return
					}
				}
			}))
			take := func(want int) {
				if v, ok := next(); !ok || v != want {
					t.Errorf("%d, %v, want %d", v, ok, want)
				}
			}
			l.Sleep(time.Millisecond)
			take(10)
			l.Sleep(time.Millisecond)
			l.Go(func() { take(9) }).Wait()
			l.AfterFunc(0, func() { take(8) })
			l.Sleep(time.Millisecond)
			sleepUntil(t, l, "the timer's function", func() bool { return l.Stats().Tasks == 1 })
			take(7)
			l.Go(stop).Wait()
			if !cleaned {
				t.Error("the iterator's deferred function did not run")
			}
			if _, ok := next(); ok {
				t.Error("a value after stop")
			}
		})
	})
}

// Every method of a task works from within an iterator, and a cancel reaches it.
func TestMethodsInIterator(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var task *ringo.Task
			task = l.Go(func() {
				outer := l.Context()
				iterator(func() {
					iterator(func() {
						if l.Context() != outer || l.Now().IsZero() {
							t.Error("the iterator's context is not the task's")
						}
						if l.Go(func() { l.Sleep(0) }).Wait() != nil || l.Sleep(0) != nil {
							t.Error("Go, Wait or Sleep")
						}
						if err := l.Offload(func(context.Context) error { return nil }); err != nil {
							t.Errorf("Offload: %v", err)
						}
						g := ringo.NewGroup(l)
						g.Go(func() error { return l.Sleep(0) })
						if err := g.Wait(); err != nil {
							t.Errorf("Group: %v", err)
						}
						if timer := l.AfterFunc(time.Hour, func() {}); !timer.Reset(time.Minute) || !timer.Stop() {
							t.Error("Timer")
						}
						if l.Stats().Tasks == 0 {
							t.Error("Stats")
						}
						if panics(func() { task.Wait() }) == nil {
							t.Error("the task waits for itself")
						}
						l.Post(task.Cancel)
						if err := l.Sleep(time.Hour); err != context.Canceled {
							t.Errorf("Sleep: %v", err)
						}
					})
				})
			})
			if err := task.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}
