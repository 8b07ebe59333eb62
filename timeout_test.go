package ringo_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"testing"
	"time"

	"ringo"
)

// wantTimeout checks an error of a wait that a WithTimeout has ended.
func wantTimeout(t testing.TB, what string, err error) {
	t.Helper()
	var timeout interface{ Timeout() bool }
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%s: %v, want a timeout that is os.ErrDeadlineExceeded", what, err)
	}
	if errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v, which is context.Canceled too", what, err)
	}
}

// forever are all the ways for a task to wait that a cancel ends, and that nobody else
// will, not one of the others either. Each may be called again and again.
func forever(l *ringo.Loop) map[string]func() error {
	full := ringo.NewChan[int](1)
	full.TrySend(1)
	unread, unsent, unmet := ringo.NewChan[int](0), ringo.NewChan[int](0), ringo.NewChan[int](0)
	var held, cond ringo.Mutex
	held.TryLock()
	taken := ringo.NewSemaphore(1)
	taken.TryAcquire(1)
	wakes := ringo.NewCond(&cond)
	one := 1
	done := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	return map[string]func() error{
		"Sleep":             func() error { return l.Sleep(time.Hour) },
		"Offload":           func() error { return l.Offload(done) },
		"Compute":           func() error { return l.Compute(done) },
		"Mutex.Lock":        held.Lock,
		"Semaphore.Acquire": func() error { return taken.Acquire(1) },
		"Chan.Send":         func() error { return full.Send(2) },
		"Chan.Send of 0":    func() error { return unread.Send(2) },
		"Chan.Recv":         func() error { _, err := unsent.Recv(); return err },
		"Select": func() error {
			i, err := ringo.Select(ringo.RecvInto(unmet, &one), ringo.SendFrom(full, &one))
			if i != -1 {
				return errors.New("a case came true")
			}
			return err
		},
		"Select of nothing": func() error { _, err := ringo.Select(); return err },
		"Cond.Wait": func() error {
			if err := cond.Lock(); err != nil {
				return err
			}
			defer cond.Unlock() // panics if Wait has not locked it
			return wakes.Wait()
		},
		"in a nested block": func() error {
			return l.WithTimeout(time.Hour, func() error { return l.Sleep(time.Hour) })
		},
	}
}

// Whatever a task waits for, the timeout ends it, later waits too, and afterwards the
// task can wait again.
func TestWithTimeout(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for name, wait := range forever(l) {
				for _, d := range []time.Duration{time.Millisecond, 0, -1} {
					err := l.WithTimeout(d, func() error {
						wantTimeout(t, name, wait())
						wantTimeout(t, name+", then Sleep", l.Sleep(0))
						return wait()
					})
					wantTimeout(t, name+" again", err)
				}
				if err := l.Sleep(0); err != nil {
					t.Errorf("after the timeout of %s: %v", name, err)
				}
			}
			if err := l.WithTimeout(time.Hour, func() error { return l.Sleep(time.Microsecond) }); err != nil {
				t.Errorf("in time: %v", err)
			}
			mine := errors.New("mine")
			equal(t, "fn's error", l.WithTimeout(0, func() error { return mine }), mine)
			equal(t, "fn's nil", l.WithTimeout(0, func() error { return nil }), nil)
		})
	})
}

// A cancel is said before a timeout, whichever was first.
func TestWithTimeoutAndCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for name, wait := range forever(l) {
				for _, d := range []time.Duration{time.Hour, 0} {
					until := l.Go(func() { l.Sleep(time.Hour) })
					task := l.Go(func() {
						l.WithTimeout(d, func() error {
							if d == 0 {
								wantTimeout(t, name, wait())
								until.Wait() // which nothing cuts short: the cancel below is in then
							}
							if err := wait(); !errors.Is(err, context.Canceled) ||
								errors.Is(err, os.ErrDeadlineExceeded) {
								t.Errorf("%s in a cancelled task, d=%v: %v", name, d, err)
							}
							return nil
						})
						equal(t, name+" behind the block", l.Sleep(0), context.Canceled)
					})
					l.Sleep(0)
					task.Cancel()
					until.Cancel()
					task.Wait()
				}
			}
		})
	})
}

// Of nested blocks the one that is over first counts, for the waits that are in it.
func TestWithTimeoutNested(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			wait := func() error { return l.Sleep(time.Hour) }
			err := l.WithTimeout(time.Hour, func() error {
				wantTimeout(t, "the inner one", l.WithTimeout(time.Millisecond, wait))
				return l.Sleep(time.Millisecond)
			})
			equal(t, "the outer one", err, nil)

			err = l.WithTimeout(time.Millisecond, func() error {
				wantTimeout(t, "the outer one, in the inner", l.WithTimeout(time.Hour, wait))
				return l.Sleep(0)
			})
			wantTimeout(t, "the outer one, behind the inner", err)

			err = l.WithTimeout(0, func() error {
				return l.WithTimeout(0, func() error { return nil })
			})
			equal(t, "both over, nobody waited", err, nil)
			equal(t, "behind all", l.Sleep(0), nil)
		})
	})
}

// However fn is left, the block ends.
func TestWithTimeoutLeft(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			v := panics(func() { l.WithTimeout(0, func() error { panic("out") }) })
			equal(t, "the panic", v, any("out"))
			equal(t, "Sleep after it", l.Sleep(0), nil)

			task := l.Go(func() {
				defer func() { equal(t, "Sleep after Goexit", l.Sleep(0), nil) }()
				l.WithTimeout(0, func() error { runtime.Goexit(); return nil })
			})
			equal(t, "Wait", task.Wait(), ringo.ErrGoexit)

			// An iterator begins a block, yields in it, and ends it while another is on.
			next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
				l.WithTimeout(0, func() error { yield(1); return nil })
				yield(2)
			}))
			next()
			wantTimeout(t, "Sleep in an iterator's block", l.Sleep(0))
			l.WithTimeout(time.Hour, func() error {
				next()
				equal(t, "Sleep behind an iterator's block", l.Sleep(0), nil)
				return nil
			})
			stop()

			// A block that is left open for good is not the next task's.
			var never func()
			l.Post(func() {
				next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
					l.WithTimeout(0, func() error { yield(1); return nil })
				}))
				next()
				never = stop
			})
			for range 3 {
				l.Sleep(0)
				l.Post(func() { equal(t, "Sleep in a later job", l.Sleep(0), nil) })
			}
			l.Sleep(0)
			never()
			equal(t, "Sleep after all", l.Sleep(0), nil)
		})
	})
}

// A task that the block starts has no limit.
func TestWithTimeoutIsTheTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var other *ringo.Task
			l.WithTimeout(0, func() error {
				other = l.Go(func() { equal(t, "Sleep of another task", l.Sleep(0), nil) })
				return other.Wait() // a join is not cut short
			})
		})
	})
}

// The context of a block has its deadline, those around it don't.
func TestWithTimeoutContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			outer := l.Context()
			if _, ok := outer.Deadline(); ok {
				t.Error("a task's context has a deadline")
			}
			var inner context.Context
			l.WithTimeout(time.Hour, func() error {
				hour, _ := l.Context().Deadline()
				l.WithTimeout(2*time.Hour, func() error { // no more than what is around it
					at, ok := l.Context().Deadline()
					if !ok || at.After(hour) {
						t.Errorf("the inner deadline %v is after the outer %v", at, hour)
					}
					return nil
				})
				inner = l.Context()
				if left := time.Until(hour); left > time.Hour || left < time.Hour-limit {
					t.Errorf("the deadline is in %v", left)
				}
				equal(t, "in the block", inner.Err(), nil)
				return nil
			})
			equal(t, "of a block that is over", inner.Err(), context.Canceled)
			equal(t, "of the task", outer.Err(), nil)
			if l.Context() != outer {
				t.Error("the task has another context than before")
			}
			l.WithTimeout(0, func() error {
				equal(t, "of a block out of time", l.Context().Err(), context.DeadlineExceeded)
				return nil
			})
			own, ran := errors.New("own words"), false
			for d := time.Millisecond; !ran; d *= 2 { // its time may be over before it begins
				err := l.WithTimeout(d, func() error {
					return l.Offload(func(ctx context.Context) error { ran = true; <-ctx.Done(); return own })
				})
				if ran {
					equal(t, "an error of Offload's own", err, own)
				}
			}
		})
	})
}

// Offload's queue is a wait like others.
func TestWithTimeoutQueued(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Offload = 1
		mustRun(t, cfg, func(l *ringo.Loop) {
			hold := make(chan struct{})
			holder := l.Go(func() { l.Offload(func(context.Context) error { <-hold; return nil }) })
			l.Sleep(0)
			err := l.WithTimeout(time.Millisecond, func() error {
				return l.Offload(func(context.Context) error { t.Error("it ran"); return nil })
			})
			wantTimeout(t, "queued", err)
			close(hold)
			holder.Wait()
		})
	})
}
