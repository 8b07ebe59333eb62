package ringo_test

import (
	"context"
	"math"
	"math/rand/v2"
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
	say(timer.Reset(time.Millisecond))
	say(timer.Reset(3 * time.Millisecond)) // later
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
