//go:build linux

package watch_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/test/looptest"
	"ringo/internal/watch"
)

// A task that others wait for while it is parked is told of to the logger, and else on stderr, once in 10 s, and
// counted each time.
func TestFrozenIsToldOf(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		cfg.Clock = clock.Now
		cfg.Complain = func(text string) { t.Errorf("beside the logger: %q", text) }
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if err := run(t, cfg, func(l *loop.Loop) error {
			sleeper := l.Go(func() { sleepIn(l) })
			l.YieldTurn()
			for range 2 {
				for range 3 {
					watch.TellFrozen(l, sleeper, 2*time.Second, 7, false)
				}
				clock.Jump(11 * time.Second)
			}
			if n := census.StatsOf(l).Stalls; n < 6 {
				t.Errorf("%d stalls, want 6", n)
			}
			sleeper.Cancel()
			return sleeper.Wait()
		}); err != nil {
			t.Fatal(err)
		}
		text := log.String()
		const says = "a callback of loop 0 is parked in Sleep, and 7 others wait: its turn has taken 2s"
		if n := strings.Count(text, says); n != 2 {
			t.Errorf("told %d times, want 2: %q", n, text)
		}
		where := "watch_test.sleepIn"
		if !watch.Peeks() {
			where = "its stack is not known"
		}
		if n := strings.Count(text, "that came 2 more times"); n != 1 || !strings.Contains(text, where) {
			t.Errorf("told %q", text)
		}
		if n := strings.Count(text, "behind=7"); n != 2 {
			t.Errorf("the log says %q", text)
		}
	})
}

// Each loop's parked callback is told of, whatever was told of another loop just before.
func TestFrozenOfEachLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops = 2
		said := make(chan string, 10)
		cfg.Complain = func(text string) { said <- text }
		if err := run(t, cfg, func(l *loop.Loop) error {
			sleeper := l.Go(func() { sleepIn(l) })
			l.YieldTurn()
			watch.TellFrozen(l, sleeper, 2*time.Second, 7, false)
			sleeper.Cancel()
			return sleeper.Wait()
		}); err != nil {
			t.Fatal(err)
		}
		close(said)
		told := map[string]int{}
		for text := range said {
			for _, which := range []string{"loop 0", "loop 1"} {
				if strings.Contains(text, "a callback of "+which+" is parked in Sleep") {
					told[which]++
				}
			}
		}
		if told["loop 0"] != 1 || told["loop 1"] != 1 {
			t.Errorf("told of %v", told)
		}
	})
}

//go:noinline
func sleepIn(l *loop.Loop) { l.Sleep(time.Hour) }

// What a task is parked in has a name, also when it yields, and when that is over and it has not gone on yet.
func TestFrozenWaitHasAName(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		told := make(chan string, 2)
		cfg.OnStall = func(_ *loop.Loop, _ time.Duration, text []byte) { told <- string(text) }
		wants := func(l *loop.Loop, task *loop.Task, in string) {
			watch.TellFrozen(l, task, time.Second, 1, false)
			if text := <-told; !strings.Contains(text, "is parked in "+in+", and 1 others wait") {
				t.Errorf("no %q in %q", in, text)
			}
		}
		if err := run(t, cfg, func(l *loop.Loop) error {
			parks := l.Go(func() { l.Park(nil) })
			yields := l.Go(func() { l.YieldTurn() })
			l.Go(func() { // in the same turn
				wants(l, yields, "Yield")
				l.Ready(parks)
				wants(l, parks, "a wait that is over")
			})
			return parks.Wait()
		}); err != nil {
			t.Fatal(err)
		}
	})
}
