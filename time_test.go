package ringo_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"ringo"
)

// A sleep may be late, on a busy machine by any time, but never early.
func TestSleepIsNeverShort(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for _, d := range []time.Duration{
				math.MinInt64, -time.Hour, -1, 0, 1, time.Microsecond, 99 * time.Microsecond, 999 * time.Microsecond,
				time.Millisecond, 1001 * time.Microsecond, 10*time.Millisecond - 1,
				33*time.Millisecond + 333*time.Nanosecond,
			} {
				for busy := range 3 {
					l.Go(func() {
						compute(time.Duration(busy) * 100 * time.Microsecond) // the turn's time is behind
						began := time.Now()
						if err := l.Sleep(d); err != nil {
							t.Errorf("Sleep(%v): %v", d, err)
						}
						if took := time.Since(began); took < d {
							t.Errorf("Sleep(%v) took %v", d, took)
						}
					})
				}
			}
		})
	})
}

// The driver's clock is fine enough for a Sleep of a millisecond to be one.
func TestSleepIsAccurate(t *testing.T) {
	skipUnderRace(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		best := time.Hour
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 50 {
				began := time.Now()
				l.Sleep(time.Millisecond)
				best = min(best, time.Since(began)-time.Millisecond)
			}
		})
		if best > 500*time.Microsecond {
			t.Errorf("the best of 50 sleeps was %v late", best)
		}
	})
}

func TestSleepIsCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for _, d := range []time.Duration{0, time.Hour, math.MaxInt64} {
				var got error
				task := l.Go(func() { got = l.Sleep(d) })
				l.Post(task.Cancel) // while it sleeps
				task.Wait()
				if d > 0 && got != context.Canceled {
					t.Errorf("Sleep(%v): %v", d, got)
				}
			}
		})
	})
}

// A sleep that was cancelled is over: its time wakes nobody when it comes.
func TestCancelledSleepDoesNotFire(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 10 {
				task := l.Go(func() { l.Sleep(2 * time.Millisecond) })
				l.Sleep(0)
				task.Cancel()
				task.Wait()
			}
			began := time.Now()
			l.Offload(func(context.Context) error { // a wait without a timer
				<-time.After(10 * time.Millisecond)
				return nil
			})
			if took := time.Since(began); took < 10*time.Millisecond {
				t.Errorf("woken after %v", took)
			}
		})
	})
}

func TestAfterFunc(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for _, d := range []time.Duration{-time.Second, 0, 1, time.Millisecond, 20 * time.Millisecond} {
				compute(time.Millisecond) // the turn's time is behind
				began, ran := time.Now(), false
				l.AfterFunc(d, func() {
					if took := time.Since(began); took < d {
						t.Errorf("AfterFunc(%v) ran after %v", d, took)
					}
					if err := l.Sleep(time.Millisecond); err != nil {
						t.Errorf("Sleep in AfterFunc's function: %v", err)
					}
					ran = true
				})
				if ran {
					t.Errorf("AfterFunc(%v) ran its function", d)
				}
				sleepUntil(t, l, "AfterFunc's function", func() bool { return ran })
			}
		})
	})
}

// resettable is what time.Timer and ringo.Timer have in common.
type resettable interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// What Stop and Reset say, and how often the function runs, is as with time.Timer.
func TestTimerIsLikeTimeTimer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ours, std := make(chan struct{}, 10), make(chan struct{}, 10)
			want := timerScript(t, l, time.AfterFunc(time.Hour, func() { std <- struct{}{} }), std)
			got := timerScript(t, l, l.AfterFunc(time.Hour, func() { ours <- struct{}{} }), ours)
			equalList(t, "what Stop and Reset said", got, want)
			equal(t, "how often it ran", len(ours), 0)
		})
	})
}

func timerScript(t *testing.T, l *ringo.Loop, timer resettable, fired <-chan struct{}) (said []bool) {
	wait := func() { await(t, l, "the timer", fired) }
	say := func(b bool) { said = append(said, b) }
	say(timer.Reset(time.Minute))
	say(timer.Stop())
	say(timer.Stop())
	say(timer.Reset(time.Hour))
	say(timer.Reset(time.Millisecond)) // earlier
	wait()
	say(timer.Stop())
	say(timer.Reset(0)) // again
	wait()
	say(timer.Reset(time.Minute))
	say(timer.Reset(time.Hour)) // later
	say(timer.Reset(3 * time.Millisecond))
	wait()
	say(timer.Reset(-time.Hour))
	wait()
	say(timer.Reset(time.Hour))
	say(timer.Stop())
	return said
}

// A hundred thousand timers, some of them moved or stopped, fire in the order of
// their times.
func TestManyTimersFireInOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const many = 100_000
		rng := rand.New(rand.NewPCG(1, 2))
		delay := func() time.Duration { return time.Duration(rng.IntN(1000)) * 100 * time.Microsecond }
		var fired []time.Time
		late := 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			expected := 0
			for range many {
				var due time.Time
				timer := l.AfterFunc(delay(), func() {
					fired = append(fired, due)
					if l.Now().Before(due) {
						t.Error("early")
					}
				})
				d := delay()
				switch rng.IntN(4) {
				case 0:
					timer.Reset(d)
				case 1:
					timer.Stop()
					continue
				default:
					timer.Reset(d)
					timer.Stop()
					timer.Reset(d)
				}
				due = l.Now().Add(d)
				expected++
			}
			sleepUntil(t, l, "all timers", func() bool { return len(fired) >= expected })
			l.Sleep(10 * time.Millisecond)
			equal(t, "timers that fired", len(fired), expected)
		})
		for i := range fired[1:] {
			if fired[i+1].Before(fired[i]) {
				late++
			}
		}
		if late > 0 || !slices.IsSortedFunc(fired, time.Time.Compare) {
			t.Errorf("%d of %d timers out of order", late, len(fired))
		}
	})
}

// A timer that is moved on and on, as a connection's deadline is, wakes nobody.
func TestMovedTimerDoesNotFire(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			timer := l.AfterFunc(5*time.Millisecond, func() { t.Error("fired, though it was always moved on in time") })
			began := time.Now()
			for time.Since(began) < 50*time.Millisecond {
				timer.Reset(time.Hour)
				l.Sleep(time.Millisecond)
			}
			timer.Stop()
		})
	})
}

// A timer that has not fired keeps no loop alive, and one that was stopped keeps
// nothing.
func TestTimersHoldNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			arm := func() (*ringo.Timer, weak.Pointer[byte]) {
				big := make([]byte, 1<<20)
				return l.AfterFunc(time.Hour, func() { big[0] = 1 }), weak.Make(&big[0])
			}
			timer, held := arm()
			runtime.GC()
			if held.Value() == nil {
				t.Fatal("an armed timer's function is gone")
			}
			timer.Stop()
			timer = nil
			runtime.GC()
			if held.Value() != nil {
				t.Error("a stopped timer's function is still held")
			}
			l.AfterFunc(time.Hour, func() { t.Error("fired") })
		})
	})
}

// Ticks come as often as they should, no more, and are dropped while nobody receives.
func TestTicker(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			const period = 3 * time.Millisecond
			began := time.Now()
			tick := l.NewTicker(period)
			var last time.Time
			for i := range 5 {
				at, err := tick.C.Recv()
				equal(t, "Recv", err, nil)
				if passed := time.Since(began); passed < time.Duration(i+1)*period {
					t.Errorf("tick %d came after %v", i, passed)
				}
				if !at.After(last) {
					t.Errorf("tick %d is at %v, the one before at %v", i, at, last)
				}
				last = at
			}
			for began := time.Now(); time.Since(began) < 5*period; {
				l.Sleep(period)
			}
			equal(t, "ticks that wait", tick.C.Len(), 1)

			// Another loop receives too.
			other := l.Loops()[1]
			if err := other.Call(func() error {
				for range 3 {
					if _, err := tick.C.Recv(); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}

			sleepUntil(t, l, "a tick that nobody takes", func() bool { return tick.C.Len() == 1 })
			tick.Stop()
			equal(t, "ticks after Stop", tick.C.Len(), 0)
			for began := time.Now(); time.Since(began) < 3*period; {
				l.Sleep(period)
			}
			equal(t, "ticks long after Stop", tick.C.Len(), 0)
			tick.Stop() // again

			tick.Reset(time.Hour)
			l.Sleep(period)
			equal(t, "ticks of an hour", tick.C.Len(), 0)
			tick.Reset(period)
			if _, err := tick.C.Recv(); err != nil {
				t.Errorf("Recv after Reset: %v", err)
			}
			sleepUntil(t, l, "a tick", func() bool { return tick.C.Len() == 1 })
			tick.Reset(time.Hour)
			equal(t, "ticks from before Reset", tick.C.Len(), 0)
		})
	})
}

// A loop that was held makes up for nothing.
func TestTickerOfALateLoop(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		const period = time.Millisecond
		tick := l.NewTicker(period)
		for began := time.Now(); time.Since(began) < 10*period; {
		}
		tick.C.Recv()
		equal(t, "ticks behind the late one", tick.C.Len(), 0)
		tick.Stop()
	})
}

// A Run ends although a ticker ticks.
func TestTickerKeepsNoLoopAlive(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) { l.NewTicker(time.Millisecond) })
	})
}

func TestTickerMisuse(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		equal(t, "NewTicker", panics(func() { l.NewTicker(0) }), any("ringo: Loop.NewTicker of 0s"))
		tick := l.NewTicker(time.Hour)
		equal(t, "Reset", panics(func() { tick.Reset(-1) }), any("ringo: Ticker.Reset of -1ns"))
		tick.Stop()
	})
}

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
// ownContext tells of its end by an AfterFunc of its own, as contexts of requests do. Where package context is asked in
// its place, it begins a goroutine, or takes its own.
type ownContext struct {
	context.Context
	end   context.CancelFunc
	after map[int]func()
	asked int
}

func (c *ownContext) AfterFunc(fn func()) (stop func() bool) {
	c.asked++
	mine := c.asked
	c.after[mine] = fn
	return func() bool {
		_, there := c.after[mine]
		delete(c.after, mine)
		return there
	}
}

// over ends it, in a task.
func (c *ownContext) over() {
	c.end()
	for _, fn := range c.after {
		fn()
	}
	clear(c.after)
}

func TestWithContextOfItsOwn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			inner, end := context.WithCancel(t.Context())
			ctx := &ownContext{Context: inner, end: end, after: map[int]func(){}}
			for range 3 {
				equal(t, "a function that returns", l.WithContext(ctx, func() error {
					equal(t, "asked to tell", len(ctx.after), 1)
					return l.Sleep(0)
				}), nil)
				equal(t, "asked to tell, behind", len(ctx.after), 0)
			}
			equal(t, "asked", ctx.asked, 3)
			l.AfterFunc(time.Millisecond, ctx.over)
			err := l.WithContext(ctx, func() error { return l.Sleep(time.Hour) })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a wait that its end ends: %v", err)
			}
			equal(t, "afterwards", l.Sleep(0), nil)
		})
	})
}

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
					equal(t, "Offload", l.Offload(func(ctx context.Context) error {
						cancel(mine)
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

// What a WithTimeout leaves in the heap goes with it, also where a WithContext has it next and its context ends.
func TestWithTimeoutLeavesNoTimers(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		before := l.Stats().Timers
		for range 100 {
			l.WithTimeout(time.Hour, func() error { return nil })
			ctx, cancel := context.WithCancel(context.Background())
			l.WithContext(ctx, func() error { cancel(); return nil })
			l.Yield()
		}
		if n := l.Stats().Timers - before; n > 10 { // those of limits that are kept
			t.Errorf("%d timers are left of 100 time-outs", n)
		}
	})
}
