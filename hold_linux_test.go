//go:build linux

package ringo_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
)

// database is a lock as database/sql has it with one connection: whoever has it is slow.
type database struct{ mu sync.Mutex }

func (d *database) query() {
	d.mu.Lock()
	defer d.mu.Unlock()
	time.Sleep(30 * time.Millisecond)
}

// worthTelling is how long the holds of a place take together for which there is a report, with the default limit.
const worthTelling = 20 * time.Millisecond

// queryUntilSeen has two tasks that call a database until both of their places are known, and gives them. They have
// then taken so long that they are reported, though on a busy machine a look at a time counts for less than it was.
func queryUntilSeen(t testing.TB, l *ringo.Loop) []ringo.Hold {
	var d database
	seen := func(what string) bool {
		var total time.Duration
		for _, h := range l.Holds() {
			if h.State == "blocked" && strings.Contains(h.In, what) && strings.Contains(h.In, "(*database).query") {
				total = max(total, h.Total)
			}
		}
		return total >= worthTelling
	}
	over := time.Now().Add(limit / 2) // before the end of Run is overdue
	until := func(what string) func() {
		return func() {
			for ; !seen(what) && time.Now().Before(over); l.Sleep(time.Millisecond) {
				d.query()
			}
		}
	}
	// A goroutine has the lock as often as not, so that tasks wait for it as well; on a busy machine nearly always, so
	// that a hold is one of the lock's and hardly ever of the sleep behind it, until that has been seen.
	stop := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.query()
			}
		}
	})
	sleeps, locks := l.Go(until("time.Sleep")), l.Go(func() {
		defer close(stop)
		until("sync.(*Mutex).Lock")()
	})
	sleeps.Wait()
	locks.Wait()
	other.Wait()
	if !seen("time.Sleep") || !seen("sync.(*Mutex).Lock") {
		t.Errorf("holds %v", l.Holds())
	}
	return l.Holds()
}

// Two tasks with calls of 30 ms are no stalls, and they are told of with their places all the same.
func TestHoldsOfADatabase(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnStall = func(*ringo.Loop, time.Duration, []byte) {}
		var l *ringo.Loop
		mustRun(t, cfg, func(loop *ringo.Loop) {
			l = loop
			for _, h := range queryUntilSeen(t, l) {
				if h.State == "blocked" && (!strings.Contains(h.Task, "queryUntilSeen") ||
					!strings.HasPrefix(h.At, "hold_linux_test.go:") || h.Longest <= 0 || h.Total < h.Longest) {
					t.Errorf("%+v", h)
				}
			}
		})
		if len(l.Holds()) == 0 {
			t.Error("no holds after the end")
		}
		if s := l.Stats(); s.TurnTimes.Count() != s.Turns || s.TurnTimes.Max() != s.Longest ||
			s.TurnTimes.Quantile(1) < 30*time.Millisecond || s.Recent > s.Longest {
			t.Errorf("%d turns, %d in the histogram, the longest %v and %v", s.Turns, s.TurnTimes.Count(), s.Longest,
				s.TurnTimes.Max())
		}
	})
}

func init() {
	children["holds"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.HoldLimit, _ = time.ParseDuration(os.Getenv("RINGO_TEST_HOLD"))
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			if cfg.HoldLimit < 0 && os.Getenv("RINGO_DEBUG") == "" {
				time.Sleep(30 * time.Millisecond)
				return nil
			}
			queryUntilSeen(&testing.T{}, l)
			return nil
		})
	}
}

// They are reported on stderr at the end of Run at the latest, by default and when the environment asks for it, and
// not with a negative limit.
func TestHoldsGoToStderr(t *testing.T) {
	t.Parallel()
	driver := anyDriver(t).Driver
	for _, c := range []struct {
		limit, debug string
		want         bool
	}{{"0", "", true}, {"-1ns", "", false}, {"-1ns", "driver=0,stall=2ms", true}} {
		text, code := output(t, child(t, "holds", "RINGO_TEST_DRIVER="+driver, "RINGO_DRIVER=",
			"RINGO_TEST_HOLD="+c.limit, "RINGO_DEBUG="+c.debug))
		for _, want := range []string{"  loop 0: ringo_test.queryUntilSeen.", " held its loop ",
			"blocked in time.Sleep", "blocked in sync.(*Mutex).Lock <- ringo_test.(*database).query",
			"Config.HoldLimit"} {
			if strings.Contains(text, want) != c.want {
				t.Errorf("with %+v: no %q, or one that should not be, in %q", c, want, text)
			}
		}
		if code != 0 {
			t.Errorf("exit status %d", code)
		}
	}
}

// The environment's limit of holds is checked as the configuration's is.
func TestStallOfTheEnvironmentIsChecked(t *testing.T) {
	for _, wrong := range []string{"stall=", "stall=2", "stall=-1ms", "stall=1ns", "driver=1,stall=soon"} {
		t.Setenv("RINGO_DEBUG", wrong)
		if err := refusal(t, &ringo.Config{}); err == nil || !strings.Contains(err.Error(), `RINGO_DEBUG: "stall=`) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
