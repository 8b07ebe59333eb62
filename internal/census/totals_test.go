package census_test

import (
	"context"
	"testing"

	"ringo/internal/census"
	"ringo/internal/lane"
	"ringo/internal/loop"
)

// What loops have counted stays in the totals when they end, the next Run goes on with it, and what there was at a time
// does not stay. A Run beside another has a number of its own.
func TestTotals(t *testing.T) {
	cfg := small(anyDriver(t))
	find := func(l *loop.Loop) census.Total { return totalOf(t, l) }
	offloads := func(run int) uint64 {
		h := census.LaneTotals()[run][lane.Offload].Waits
		return h.Count()
	}
	var number int
	var turns, calls, tasks uint64
	for range 3 {
		err := run(t, cfg, func(l *loop.Loop) error {
			at := find(l)
			if turns == 0 {
				number = at.Run
			} else if at.Run != number {
				t.Errorf("a Run has number %d, the one before had %d", at.Run, number)
			}
			if s := at.Stats(); s.Turns < turns || s.Tasks != 1 || offloads(number) < calls {
				t.Errorf("%d turns, %d tasks, %d calls; before %d turns, %d calls", s.Turns, s.Tasks,
					offloads(number), turns, calls)
			}
			l.Offload(func(context.Context) error {
				return run(t, cfg, func(inner *loop.Loop) error {
					if find(inner).Run == number {
						t.Error("two Runs at a time have one number")
					}
					return nil
				})
			})
			for range 10 {
				l.YieldTurn()
			}
			at = find(l)
			s := at.Stats()
			turns, tasks = s.Turns, s.Delays.Count()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range census.Totals() {
			if o.Run != number || o.Index != 0 {
				continue
			}
			s := o.Stats()
			if o.Live != nil || s.Turns < turns || s.Delays.Count() < tasks || s.Tasks != 0 || s.Buffers != 0 {
				t.Errorf("after the end: %d turns, before it %d; %d tasks", s.Turns, turns, s.Tasks)
			}
			turns = s.Turns
		}
		if n := offloads(number); n <= calls {
			t.Errorf("%d calls in all, there were %d before the last", n, calls)
		} else {
			calls = n
		}
		if lane := census.LaneTotals()[number][lane.Offload]; lane.Max != 0 || lane.Running != 0 {
			t.Errorf("a Run that has ended has %d slots, %d in use", lane.Max, lane.Running)
		}
	}
}

// totalOf is the total of a loop that runs.
func totalOf(t *testing.T, l *loop.Loop) census.Total {
	for _, o := range census.Totals() {
		if o.Live == l {
			return o
		}
	}
	t.Error("the loop has no total")
	return census.Total{Live: l}
}
