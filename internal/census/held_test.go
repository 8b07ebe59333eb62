package census_test

import (
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/stats"
)

// A turn that was told of while it lasted is not forgotten where it has ended and the loop has not told of it yet.
func TestHeldTurnIsNotTakenBack(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Stall = 20 * time.Millisecond
	err := run(t, cfg, func(l *loop.Loop) error {
		l.YieldTurn() // there has been a turn
		told := make(chan stats.Loop)
		tell := func(enough func(stats.Loop) bool) {
			for end := time.Now().Add(limit / 2); ; {
				if s := census.WhileHeld(l); enough(s) || time.Now().After(end) {
					told <- s
					return
				}
			}
		}
		go tell(func(s stats.Loop) bool { return s.Held > 0 })
		held := <-told
		if !census.GivesUp(0, l) {
			t.Error("who asks waits on for a loop that is held")
		}
		l.YieldTurn()
		go tell(func(stats.Loop) bool { return true })
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

// A loop that does not answer and is in no turn was not let run, on a machine that is busy: it is waited for, but not
// for ever.
func TestLoopThatRestsIsWaitedFor(t *testing.T) {
	if census.GivesUp(0, new(loop.Loop)) {
		t.Error("it was given up at once")
	}
	if !census.GivesUp(100, new(loop.Loop)) {
		t.Error("it is waited for without end")
	}
}

// A loop that is held in its first turn has its tasks counted by their stacks.
func TestStatsOfLoopHeldFromTheStart(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		done := make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			var s stats.Loop
			go func() { defer close(done); s = census.StatsOf(l) }()
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
