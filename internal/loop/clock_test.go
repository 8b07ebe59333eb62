package loop_test

import (
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/test/looptest"
)

// A jump forwards fires what it passed, once and in order.
func TestClockJumpsForward(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		cfg.Clock = clock.Now
		var fired []int
		err := run(t, cfg, func(l *loop.Loop) error {
			for i := range 10 {
				l.AfterFunc(time.Duration(10-i)*time.Hour, func() { fired = append(fired, 10-i) })
			}
			clock.Jump(5*time.Hour + time.Minute)
			l.Sleep(0)
			l.Sleep(0)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(fired) != 5 || fired[0] != 1 || fired[4] != 5 {
			t.Errorf("after a jump of five hours those of %v hours fired", fired)
		}
	})
}

// While the clock is behind where it was, the loop's time stands still: nothing
// fires early, nothing is lost, and the loop sleeps meanwhile.
func TestClockJumpsBack(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		cfg.Clock = clock.Now
		err := run(t, cfg, func(l *loop.Loop) error {
			start := time.Now()
			l.Sleep(time.Millisecond) // the next turn looks at the clock later, however long this one is held
			began, before := l.NowNS(), census.StatsOf(l).Turns
			due := start.Add(70 * time.Millisecond)
			clock.Jump(-50 * time.Millisecond)
			if err := l.Sleep(20 * time.Millisecond); err != 0 {
				t.Errorf("Sleep: %d", err)
			}
			if time.Now().Before(due) {
				t.Error("the sleep ended before the clock was 20 ms past where it had been")
			}
			if l.NowNS() < began+int64(20*time.Millisecond) {
				t.Error("the loop's time went back")
			}
			if turns := census.StatsOf(l).Turns - before; turns > 20 {
				t.Errorf("%d turns in one sleep: the loop spins", turns)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A clock that is shaken all the while.
func TestClockShakes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		cfg.Clock = clock.Now
		var over atomic.Bool
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for i := 0; !over.Load(); i++ {
				d := time.Duration(i%7) * time.Millisecond
				clock.Jump(d)
				<-time.After(100 * time.Microsecond)
				clock.Jump(-d)
			}
		}()
		const timers = 200
		fired := 0
		err := run(t, cfg, func(l *loop.Loop) error {
			for i := range timers {
				l.AfterFunc(time.Duration(i)*200*time.Microsecond, func() { fired++ })
			}
			for fired < timers {
				if l.Sleep(time.Millisecond) != 0 {
					break
				}
			}
			l.Sleep(10 * time.Millisecond)
			return nil
		})
		over.Store(true)
		<-gone
		if err != nil || fired != timers {
			t.Errorf("Run: %v; %d of %d timers fired", err, fired, timers)
		}
	})
}

// Times so far away that a clock can't reach them are far away, not past.
func TestFarTimes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		err := run(t, cfg, func(l *loop.Loop) error {
			far := l.Now().Add(1 << 62).Add(1 << 62)
			for name, at := range map[string]int64{
				"After(max)": l.After(1<<63 - 1), "At(far)": l.At(far),
				"At(year 9999)": l.At(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)),
			} {
				if at < l.NowNS()+int64(24*time.Hour) {
					t.Errorf("%s is %d, and it is now %d", name, at, l.NowNS())
				}
			}
			for name, at := range map[string]int64{
				"After(min)": l.After(-1 << 63), "At(zero)": l.At(time.Time{}),
				"At(year 1)": l.At(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)),
			} {
				if at > l.NowNS() {
					t.Errorf("%s is %d, and it is now %d", name, at, l.NowNS())
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Moving a timer on is a store: the heap has one entry of it, however often it
// is moved, and its entries go when they are passed.
func TestMovedTimersStayInPlace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		err := run(t, cfg, func(l *loop.Loop) error {
			const timers = 1000
			all := make([]*loop.Timer, timers)
			for i := range all {
				all[i] = l.AfterFunc(time.Minute, func() {})
			}
			for range 100 {
				for _, timer := range all {
					timer.Reset(time.Hour)
				}
			}
			if n := loop.TimerEntries(l); n != timers {
				t.Errorf("%d entries of %d timers", n, timers)
			}
			for _, timer := range all {
				timer.Stop()
			}
			if n := loop.TimerEntries(l); n != 0 {
				t.Errorf("%d entries of timers that are stopped", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
