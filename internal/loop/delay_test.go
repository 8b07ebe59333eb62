package loop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/stats"
	"ringo/uring"
)

// One in 64 of those that become ready is measured, whatever the number of those that do so together, and what
// others had done before it ran is in its delay.
func TestDelays(t *testing.T) {
	for _, group := range []int{1, 2, 16, 17, 1000} {
		cfg := small(anyDriver(t))
		var readies int
		var s stats.Loop
		err := run(t, cfg, func(l *loop.Loop) error {
			first := census.StatsOf(l).Delays
			for readies < 32_000 {
				tasks := make([]*loop.Task, group)
				for i := range tasks {
					tasks[i] = l.Go(func() {})
				}
				for _, task := range tasks {
					task.Wait()
				}
				readies += group
			}
			if s = census.StatsOf(l); s.Delays.Count() < first.Count() {
				t.Error("there are fewer than before")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// Those who wait for them become ready, too, once or each time.
		if n := int(s.Delays.Count()); n < readies/80 || n > 2*readies/50 {
			t.Errorf("groups of %d: %d of %d were measured", group, n, readies)
		}
	}
}

// A task that becomes ready while another has the thread waits until that gives it away.
func TestDelayOfTheHeld(t *testing.T) {
	const held = 20 * time.Millisecond
	err := run(t, small(anyDriver(t)), func(l *loop.Loop) error {
		before := census.StatsOf(l).Delays
		for range 256 {
			l.Go(func() {})
		}
		for begun := time.Now(); time.Since(begun) < held; {
		}
		for range 2 {
			l.YieldTurn()
		}
		after := census.StatsOf(l).Delays
		since := after.Sub(before)
		if since.Max() < held {
			t.Errorf("the longest delay of 256 tasks is %v, want %v at least", since.Max(), held)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An op's time is from its Submit to its end; one that is multishot has none.
func TestOpTimes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		const waits = 10 * time.Millisecond
		err := run(t, cfg, func(l *loop.Loop) error {
			for range 3 {
				o := l.Ops().New(op.Timeout)
				l.Ops().Ext(o).Time = uring.NewTimespec(waits)
				l.Do(o)
				l.Ops().Free(o)
			}
			for _, o := range census.StatsOf(l).Ops {
				if o.Op != op.Table[op.Timeout].Name {
					continue
				}
				if o.Submitted != 3 || o.Times.Count() != 3 || o.Times.Sum() < 3*waits {
					t.Errorf("%d submitted, %d timed, %v in all", o.Submitted, o.Times.Count(), o.Times.Sum())
				}
				return nil
			}
			t.Error("no such op was counted")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The waits of a lane are those of all its calls; of one that has waited they have the time.
func TestLaneWaits(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Offload = 1
	err := run(t, cfg, func(l *loop.Loop) error {
		var begun atomic.Bool
		first := l.Go(func() {
			l.Offload(func(context.Context) error {
				begun.Store(true)
				for {
					// A loop that has not answered yet has no lanes.
					if s := census.StatsOf(l); len(s.Lanes) > 0 && s.Lanes[lane.Offload].Waiting > 0 {
						return nil
					}
				}
			})
		})
		for !begun.Load() {
			l.YieldTurn()
		}
		l.Offload(func(context.Context) error { return nil })
		first.Wait()
		of := census.StatsOf(l).Lanes[lane.Offload]
		if of.Waits.Count() != 2 || of.Waited != 1 || of.Waits.Max() != of.Longest || of.Longest == 0 {
			t.Errorf("%d calls, %d waited, the longest %v, %v", of.Waits.Count(), of.Waited, of.Waits.Max(),
				of.Longest)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
