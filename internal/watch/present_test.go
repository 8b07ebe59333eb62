package watch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/watch"
)

// A loop that is held does not look idle: its Stats tell for how long, and count the turn that lasts; so do those of a
// loop that nobody had asked before. Its present hold says who, whether or not anybody watches for stalls, and where a
// goroutine can't be looked at alone. Released, it counts no less than it was said to.
func TestStatsOfHeldLoop(t *testing.T) {
	t.Run("watched", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, func(t *testing.T, cfg *loop.Config) { statsOfHeldLoop(t, watched(cfg)) })
	})
	t.Run("unwatched", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, statsOfHeldLoop)
	})
	t.Run("by all stacks", func(t *testing.T) { // before the other two
		defer watch.SetPeeksNever()()
		statsOfHeldLoop(t, watched(small(anyDriver(t))))
	})
}

func watched(cfg *loop.Config) *loop.Config {
	cfg.Stall, cfg.Hold, cfg.Complain = 20*time.Millisecond, 5*time.Millisecond, func(string) {}
	return cfg
}

func statsOfHeldLoop(t *testing.T, cfg *loop.Config) {
	release, held, done := make(chan bool), make(chan uint64), make(chan struct{})
	err := run(t, cfg, func(l *loop.Loop) error {
		go func() {
			defer close(done)
			stalls := <-held
			before, again := census.StatsOf(l), census.StatsOf(l)
			h, is := watch.PresentHold(l)
			for end := time.Now().Add(limit / 2); h.State != "blocked" && time.Now().Before(end); {
				h, is = watch.PresentHold(l) // a busy machine may not yet have let it come so far
			}
			close(release)
			after := census.StatsOf(l)
			for after.Held != 0 {
				after = census.StatsOf(l)
			}
			if before.Held <= 0 || again.Held <= before.Held || before.Longest < before.Held ||
				before.Recent < before.Held || before.Tasks == 0 || before.Turns == 0 {
				t.Errorf("held: %+v", before)
			}
			if again.InTasks-before.InTasks != again.Held-before.Held {
				t.Errorf("in tasks for %v more while held for %v more", again.InTasks-before.InTasks,
					again.Held-before.Held)
			}
			if watches := cfg.Stall >= 0; watches != (before.Stalls > 0) || watches && before.Stalls > stalls+1 {
				t.Errorf("%d stalls, with a turn that lasts and %d before", before.Stalls, stalls)
			}
			if !is || !strings.Contains(h.Task, "statsOfHeldLoop") || h.State != "blocked" ||
				!strings.Contains(h.In, "receive from a channel") || h.Longest < again.Held {
				t.Errorf("the present hold is %+v, %v", h, is)
			}
			if after.InTasks < again.InTasks || after.Longest < again.Held || after.Recent < again.Held ||
				after.Stalls < again.Stalls {
				t.Errorf("%+v\nafter\n%+v", after, again)
			}
		}()
		l.YieldTurn() // there has been a turn
		held <- census.StatsOf(l).Stalls
		<-release
		return l.Offload(func(context.Context) error { <-done; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
}
