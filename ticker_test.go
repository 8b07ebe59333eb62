package ringo_test

import (
	"testing"
	"time"

	"ringo"
)

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
