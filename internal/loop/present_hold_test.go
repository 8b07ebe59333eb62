package loop_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringo/internal/loop"
)

// A loop that is held does not look idle: its Stats tell for how long, and count the turn that lasts; so do those of a
// loop that nobody had asked before. Its present hold says who, whether or not anybody watches for stalls. Released,
// it counts no less than it was said to.
func TestStatsOfHeldLoop(t *testing.T) {
	for name, watches := range map[string]bool{"watched": true, "unwatched": false} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				cfg.Stall, cfg.Hold = -1, -1
				if watches {
					cfg.Stall, cfg.Hold, cfg.Complain = 20*time.Millisecond, 5*time.Millisecond, func(string) {}
				}
				release, held, done := make(chan bool), make(chan bool), make(chan struct{})
				var before, after loop.Stats
				err := run(t, cfg, func(l *loop.Loop) error {
					go func() {
						defer close(done)
						<-held
						before = l.Stats()
						again := l.Stats()
						h, is := l.PresentHold()
						close(release)
						after = l.Stats()
						for after.Held != 0 {
							after = l.Stats()
						}
						if before.Held <= 0 || again.Held <= before.Held || before.Longest < before.Held ||
							before.Recent < before.Held || before.Tasks == 0 || before.Turns == 0 {
							t.Errorf("held: %+v", before)
						}
						if again.InTasks-before.InTasks != again.Held-before.Held {
							t.Errorf("in tasks for %v more while held for %v more", again.InTasks-before.InTasks,
								again.Held-before.Held)
						}
						if watches != (before.Stalls == 1) {
							t.Errorf("%d stalls of a turn that lasts", before.Stalls)
						}
						if !is || !strings.Contains(h.Task, "TestStatsOfHeldLoop") || h.State != "blocked" ||
							!strings.Contains(h.In, "receive from a channel") || h.Longest < again.Held {
							t.Errorf("the present hold is %+v, %v", h, is)
						}
						if after.InTasks < again.InTasks || after.Longest < again.Held || after.Recent < again.Held ||
							after.Stalls < again.Stalls {
							t.Errorf("%+v\nafter\n%+v", after, again)
						}
					}()
					loop.Yield(l) // there has been a turn
					held <- true
					<-release
					return l.Offload(func(context.Context) error { <-done; return nil })
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A loop that is held in its first turn has its tasks counted by their stacks.
func TestStatsOfLoopHeldFromTheStart(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		done := make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			var s loop.Stats
			go func() { defer close(done); s = l.Stats() }()
			<-done
			if s.Held <= 0 || s.Tasks != 1 || s.Turns != 0 {
				t.Errorf("%+v", s)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
