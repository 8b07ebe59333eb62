package loop_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/test/testmain"
	"ringo/stats"
)

// holdASlot is a name to find in a report.
func holdASlot(release <-chan bool) func(context.Context) error {
	return func(context.Context) error { <-release; return nil }
}

// Where calls wait for a slot for long, the operator is told how many, and what has the slots; of a lane that is to be
// full, Compute's, he is not.
func TestFullLaneIsToldOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lane lane.Lane
		want []string // nil: nothing is said
	}{
		"Offload": {lane.Offload, []string{"ringo: 5 calls of Loop.Offload wait for a slot",
			"all 16 (Config.Offload)",
			"16 × ringo/internal/loop_test.TestFullLaneIsToldOf.", ".holdASlot.1 (lane_test.go:"}},
		"Compute": {lane.Compute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small(anyDriver(t))
			said := make(chan string, 100)
			cfg.Complain = func(text string) {
				if text = testmain.Uncrowded(text); text != "" { // the other lane's loop is beside this one
					said <- text
				}
			}
			release := make(chan bool)
			if err := run(t, cfg, func(l *loop.Loop) error {
				load := func() stats.Lane { return census.StatsOf(l).Lanes[c.lane] }
				for range load().Max + 5 {
					l.Go(func() { l.OffloadIn(c.lane, holdASlot(release)) })
				}
				for load().Oldest < lane.FullMax*3/2 {
					l.Sleep(10 * time.Millisecond)
				}
				if c.want != nil {
					text := ""
					l.OffloadIn(lane.Files, func(context.Context) error {
						text = receive(t, "the report", said)
						return nil
					})
					for _, want := range c.want {
						if !strings.Contains(text, want) {
							t.Errorf("the report lacks %q:\n%s", want, text)
						}
					}
				}
				close(release)
				return nil
			}); err != nil {
				t.Error(err)
			}
			if len(said) > 0 {
				t.Errorf("said as well: %s", <-said)
			}
		})
	}
}

// A call that has until some time to begin is not begun later, and says what it waited for; one that has begun by then
// goes on.
func TestOffloadBy(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Offload = 1
	release := make(chan bool)
	if err := run(t, cfg, func(l *loop.Loop) error {
		soon := time.Now().Add(time.Millisecond)
		first := l.Go(func() {
			if err := l.OffloadAs(loop.As{By: soon}, lane.Offload, holdASlot(release)); err != nil {
				t.Errorf("the call that has a slot: %v", err)
			}
		})
		l.Sleep(0)
		err := l.OffloadAs(loop.As{By: soon}, lane.Offload, func(context.Context) error {
			t.Error("a late call began")
			return nil
		})
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "no slot came free in time") {
			t.Errorf("the call without a slot: %v", err)
		}
		if l.Canceled() {
			t.Error("the task is cancelled")
		}
		close(release)
		return first.Wait()
	}); err != nil {
		t.Error(err)
	}
}
