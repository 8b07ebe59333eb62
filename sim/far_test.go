package sim_test

import (
	"math"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

const year = 365 * 24 * time.Hour

// The longest times are long, and not over before they begin.
func TestLongestTimes(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		var slept []time.Duration
		h.Run(nil, func(l *ringo.Loop) error {
			l.Go(func() { l.Sleep(math.MaxInt64); slept = append(slept, -1) })
			l.Go(func() { l.Sleep(280 * year); slept = append(slept, 280*year) })
			l.Sleep(time.Hour)
			slept = append(slept, time.Hour)
			return l.Sleep(time.Hour)
		})
		fired := false
		w.After(math.MaxInt64, func() { fired = true })
		w.RunFor(time.Millisecond)
		if fired || len(slept) > 0 {
			w.Errorf("after a millisecond the longest time is over: %v, %v", fired, slept)
		}
		if !w.RunUntil(math.MaxInt64, func() bool { return len(slept) == 1 }) || w.Elapsed() > 2*time.Hour {
			w.Errorf("who sleeps for an hour was not waited for, and it is %v", w.Elapsed())
		}
		h.Pause(math.MaxInt64)
		if w.RunUntil(2*time.Hour, func() bool { return len(slept) > 1 }) {
			w.Errorf("a host that stands still for ever has gone on: %v", slept)
		}
		h.Crash()
		h.Restart()
		w.RunFor(90 * time.Minute)
		if len(slept) != 2 || slept[1] != time.Hour {
			w.Errorf("when it was restarted these had slept: %v", slept)
		}
	})
}

// Storms of the longest duration, and with the longest intervals.
func TestLongestStorms(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Host("here")
		w.Storm(math.MaxInt64, sim.Storm{Crash: time.Minute})
		w.RunFor(time.Hour)
		if n := len(w.Faults()); n < 10 {
			w.Errorf("%d crashes in an hour, and one a minute was wanted", n)
		}
	})
	sim.Run(t, 1, func(w *sim.World) {
		w.Host("here")
		w.Storm(math.MaxInt64, sim.Storm{Crash: math.MaxInt64, Down: math.MaxInt64, Pause: 200 * year,
			Still: math.MaxInt64, Clock: math.MaxInt64, Step: math.MaxInt64, Partition: math.MaxInt64})
		w.RunFor(time.Hour)
		if n := len(w.Faults()); n > 0 {
			w.Errorf("%d faults in an hour, at intervals of centuries", n)
		}
	})
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		w.Storm(time.Hour, sim.Storm{Clock: time.Minute, Step: math.MaxInt64, Pause: time.Minute, Still: math.MaxInt64})
		for range 60 {
			w.RunFor(time.Minute)
			h.Clock()
		}
	})
}

// Ways on which packets take for ever.
func TestLongestWays(t *testing.T) {
	for name, link := range map[string]sim.Link{
		"latency":   {Latency: math.MaxInt64},
		"jitter":    {Jitter: math.MaxInt64, Latency: math.MaxInt64},
		"bandwidth": {Bandwidth: 1, Latency: math.MaxInt64 - 5},
		"reorder":   {Reorder: 1, Latency: math.MaxInt64, Jitter: 1},
	} {
		sim.Run(t, 1, func(w *sim.World) {
			w.Host("server").Run(nil, func(l *ringo.Loop) error { return echo(l) })
			w.RunFor(time.Second)
			w.Link = link
			c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
				return l.WithTimeout(time.Minute, func() error { return asks(l, 1, time.Second) })
			})
			if err := w.Wait(c); err == nil || w.Elapsed() > 2*time.Minute {
				w.Errorf("%s: it ended with %v at %v", name, err, w.Elapsed())
			}
		})
	}
}

// At the end of its time a world says so, and does not begin again.
func TestTimeIsOver(t *testing.T) {
	s := &stage{recorder: recorder{TB: t}}
	sim.Run(s, 1, func(w *sim.World) {
		h := w.Host("here")
		for range 300 {
			w.RunFor(year)
		}
		w.Wait(h.Run(nil, func(l *ringo.Loop) error { return l.Sleep(time.Second) }))
	})
	s.want(t, "the world's time is over", "seed 1")
}

// Wall clocks and times of files go beyond the years that nanoseconds in 64 bits reach, 1677 to 2262.
func TestFarYears(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		for _, step := range []time.Duration{0, 250 * year, -280 * year, -280 * year, -280 * year} {
			h.StepClock(step)
			w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error {
				if err := l.Sleep(2 * time.Second); err != nil {
					return err
				}
				if err := file.WriteFile("/data/x", []byte("x"), 0o600); err != nil {
					return err
				}
				info, err := file.Stat("/data/x")
				if err != nil {
					return err
				}
				near := func(a time.Time) bool { return a.Sub(h.Clock()).Abs() < time.Second }
				if !near(info.ModTime()) || !near(l.Now()) {
					w.Errorf("a file of %v is of %v, and the loop says %v", h.Clock(), info.ModTime(), l.Now())
				}
				return file.Remove("/data/x")
			})))
		}
		w.Check(w.Wait(h.Run(nil, func(*ringo.Loop) error {
			if err := file.WriteFile("/data/y", nil, 0o600); err != nil {
				return err
			}
			for _, year := range []int{1, 1600, 1677, 1900, 1969, 1970, 2262, 2300, 9999} {
				at := time.Date(year, 3, 4, 5, 6, 7, 890_000_001, time.UTC)
				if err := file.Chtimes("/data/y", at, at); err != nil {
					return err
				}
				if info, err := file.Stat("/data/y"); err != nil || !info.ModTime().Equal(at) {
					w.Errorf("%v was set, and %v is there, %v", at, info.ModTime(), err)
				}
			}
			return nil
		})))
	})
}
