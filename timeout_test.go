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
	var busy ringo.WaitGroup
	busy.Add(1)
	one := 1
	done := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	return map[string]func() error{
		"Sleep":             func() error { return l.Sleep(time.Hour) },
		"Offload":           func() error { return l.Offload(done) },
		"Compute":           func() error { return l.Compute(done) },
		"Mutex.LockContext": func() error { return held.LockContext(nil) },
		"Semaphore.Acquire": func() error { return taken.Acquire(nil, 1) },
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
		"Cond.WaitContext": func() error {
			cond.Lock()
			defer cond.Unlock() // panics if WaitContext has not locked it
			return wakes.WaitContext(nil)
		},
		"WaitGroup.WaitContext": func() error { return busy.WaitContext(nil) },
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

// Whatever a task waits for, the end of the context ends it, later waits too, and afterwards the task can wait again.
func TestWithContext(t *testing.T) {
	mine := errors.New("mine")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for name, wait := range forever(l) {
				for _, before := range []bool{true, false} {
					ctx, cancel := context.WithCancelCause(t.Context())
					if before {
						cancel(mine)
					} else {
						l.AfterFunc(time.Millisecond, func() { cancel(mine) })
					}
					wantEnd := func(what string, err error) {
						t.Helper()
						canceled := errors.Is(err, context.Canceled)
						if what == "Offload" || what == "Compute" { // their functions say ctx.Err
							err = context.Cause(ctx)
						}
						if !canceled || !errors.Is(err, mine) || errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("%s: %v", what, err)
						}
					}
					wantEnd(name, l.WithContext(ctx, func() error {
						wantEnd(name, wait())
						wantEnd("then Sleep", l.Sleep(0))
						return wait()
					}))
					cancel(nil)
					equal(t, "after the context of "+name, l.Sleep(0), nil)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				wantTimeout(t, name, l.WithContext(ctx, wait))
				cancel()
			}
			equal(t, "in time", l.WithContext(cancelable(t), func() error { return l.Sleep(time.Microsecond) }), nil)
			equal(t, "fn's error", l.WithContext(doneContext, func() error { return mine }), mine)
			equal(t, "fn's nil", l.WithContext(doneContext, func() error { return nil }), nil)
			for what, ctx := range map[string]context.Context{"nil": nil, "Background": context.Background(),
				"its own": l.Context()} {
				equal(t, what, l.WithContext(ctx, func() error { return l.Sleep(0) }), nil)
			}
		})
	})
}

// The block that is over first counts, whichever is around the other; behind the inner one the outer counts again.
func TestWithContextNested(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			one, other := errors.New("one"), errors.New("other")
			sleep := func() error { return l.Sleep(time.Hour) }
			is := func(what string, err, want error, not ...error) {
				t.Helper()
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
				for _, n := range not {
					if errors.Is(err, n) {
						t.Errorf("%s: %v, which is %v too", what, err, n)
					}
				}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			l.WithTimeout(time.Hour, func() error {
				l.WithContext(ctx, func() error {
					l.AfterFunc(0, func() { cancel(one) })
					is("in an hour", sleep(), one, os.ErrDeadlineExceeded)
					return l.WithTimeout(0, func() error {
						is("with a time that is over later", sleep(), one, os.ErrDeadlineExceeded)
						return nil
					})
				})
				equal(t, "behind the context", l.Sleep(0), nil)
				return nil
			})
			l.WithTimeout(0, func() error {
				l.WithContext(ctx, func() error {
					is("in a time that was over before", sleep(), os.ErrDeadlineExceeded, one)
					return nil
				})
				is("behind the block", sleep(), os.ErrDeadlineExceeded, one)
				return nil
			})
			inner, cancelInner := context.WithCancelCause(t.Context())
			outer, cancelOuter := context.WithCancelCause(t.Context())
			l.WithContext(outer, func() error {
				l.WithContext(inner, func() error {
					cancelInner(one)
					is("the inner one first", sleep(), one, other)
					cancelOuter(other)
					is("the outer one too", sleep(), one, other)
					return nil
				})
				is("behind the inner one", sleep(), other, one)
				return nil
			})
			equal(t, "behind all", l.Sleep(0), nil)

			// A cancel is said before all.
			ready := ringo.NewChan[int](1)
			task := l.Go(func() {
				l.WithContext(outer, func() error {
					is("before the cancel", sleep(), other)
					ready.TrySend(1)
					for errors.Is(l.Sleep(0), other) {
						l.Yield()
					}
					is("after it", sleep(), context.Canceled, other)
					return nil
				})
			})
			ready.Recv()
			task.Cancel()
			task.Wait()
		})
	})
}

// Loop.Context in a block is that of all blocks: values, deadline and end, and Offload has it.
func TestWithContextContext(t *testing.T) {
	type key string
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		run := context.WithValue(t.Context(), key("run"), 1)
		err := runContext(t, run, cfg, func(l *ringo.Loop) error {
			ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key("given"), 2))
			mine := errors.New("mine")
			l.WithTimeout(time.Hour, func() error {
				limit, _ := l.Context().Deadline()
				l.WithContext(ctx, func() error {
					c := l.Context()
					equal(t, "Run's value", c.Value(key("run")), any(1))
					equal(t, "the given one's", c.Value(key("given")), any(2))
					equal(t, "no value", c.Value(key("other")), nil)
					if at, ok := c.Deadline(); !ok || !at.Equal(limit) {
						t.Errorf("deadline: %v %v, want %v", at, ok, limit)
					}
					l.WithTimeout(time.Minute, func() error {
						at, _ := l.Context().Deadline()
						if !at.Before(limit) {
							t.Errorf("deadline of the inner block: %v", at)
						}
						return nil
					})
					l.AfterFunc(time.Millisecond, func() { cancel(mine) })
					equal(t, "Offload", l.Offload(func(ctx context.Context) error {
						<-ctx.Done()
						return context.Cause(ctx)
					}), mine)
					equal(t, "Err", c.Err(), context.Canceled)
					return nil
				})
				return nil
			})
			wantTimeout(t, "Offload in a time around a context", l.WithTimeout(time.Millisecond, func() error {
				return l.WithContext(cancelable(t), func() error {
					return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
				})
			}))
			var after context.Context
			l.WithContext(cancelable(t), func() error { after = l.Context(); return nil })
			equal(t, "behind the block", after.Err(), context.Canceled)
			equal(t, "the task's own", l.Context().Err(), nil)
			task := l.Go(func() {
				l.WithContext(cancelable(t), func() error {
					c := l.Context()
					equal(t, "Sleep", l.Sleep(time.Hour), context.Canceled)
					for c.Err() == nil { // soon: another goroutine tells it
						l.Yield()
					}
					return nil
				})
			})
			l.Sleep(0)
			task.Cancel()
			return task.Wait()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A block in an iterator that is left where it stood ends with the task, and touches no later one.
func TestBlocksThatAreLeft(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for what, block := range map[string]func(fn func() error) error{
				"WithTimeout": func(fn func() error) error { return l.WithTimeout(time.Millisecond, fn) },
				"WithContext": func(fn func() error) error { return l.WithContext(ctx, fn) },
			} {
				var next func() (int, bool)
				left := ringo.NewChan[int](0)
				l.Post(func() { // posts share a task
					next, _ = iter.Pull(func(yield func(int) bool) {
						block(func() error { yield(1); return nil })
					})
					next()
					left.Send(1)
				})
				left.Recv()
				l.Post(func() { // in the same worker
					l.Go(func() { l.Sleep(time.Millisecond); cancel() })
					equal(t, what+": Sleep of the next", l.Sleep(5*time.Millisecond), nil)
					left.Send(1)
				})
				left.Recv()
				next() // goes on where it stood, in another task
				equal(t, what+": Sleep behind the rest", l.Sleep(0), nil)
			}
		})
	})
}
