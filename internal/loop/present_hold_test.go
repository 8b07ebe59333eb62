package loop_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringo/internal/loop"
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
		defer loop.SetPeeksNever()()
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
			before, again := l.Stats(), l.Stats()
			h, is := l.PresentHold()
			for end := time.Now().Add(limit / 2); h.State != "blocked" && time.Now().Before(end); {
				h, is = l.PresentHold() // a busy machine may not yet have let it come so far
			}
			close(release)
			after := l.Stats()
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
		loop.Yield(l) // there has been a turn
		held <- loop.Stalls(l)
		<-release
		return l.Offload(func(context.Context) error { <-done; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A turn that was told of while it lasted is not forgotten where it has ended and the loop has not told of it yet.
func TestHeldTurnIsNotTakenBack(t *testing.T) {
	cfg := watched(small(anyDriver(t)))
	err := run(t, cfg, func(l *loop.Loop) error {
		loop.Yield(l) // there has been a turn
		told := make(chan loop.Stats)
		tell := func(enough func(loop.Stats) bool) {
			for end := time.Now().Add(limit / 2); ; {
				if s := loop.WhileHeld(l); enough(s) || time.Now().After(end) {
					told <- s
					return
				}
			}
		}
		go tell(func(s loop.Stats) bool { return s.Held > 0 })
		held := <-told
		loop.Yield(l)
		go tell(func(loop.Stats) bool { return true })
		after := <-told
		if held.Held <= 0 || held.Longest < held.Held || held.Recent < held.Held || after.InTasks < held.InTasks ||
			after.Stalls < held.Stalls || after.Longest < held.Held || after.Recent < held.Held {
			t.Errorf("%+v\nafter\n%+v", after, held)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
