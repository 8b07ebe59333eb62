package census_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/test/testmain"
)

func leaks(l *loop.Loop) { l.Sleep(time.Hour) } // until it is cancelled

// drained runs fn on two loops, drains when both have returned from it, and gives what was reported.
func drained(t *testing.T, cfg *loop.Config, fn func(l *loop.Loop)) (said []string, err error) {
	t.Helper()
	reports := make(chan string, 100)
	cfg.Loops, cfg.Complain = 2, func(text string) { reports <- text }
	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	begun := make(chan bool, 2)
	go func() {
		<-begun
		<-begun
		drain()
	}()
	err = runContext(t, ctx, cfg, func(l *loop.Loop) error {
		fn(l)
		l.YieldTurn()
		begun <- true
		return nil
	})
	for len(reports) > 0 { // Run returns after them
		if text := testmain.Uncrowded(<-reports); text != "" {
			said = append(said, text)
		}
	}
	return said, err
}

// A drain that takes all of Grace says for whom, in a line of ten kinds of tasks at most, before Run returns.
func TestDrainSaysForWhom(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Grace = 10 * time.Millisecond
		said, err := drained(t, cfg, func(l *loop.Loop) {
			if l.Index() == 1 {
				l.GoNamed("tail", func() { leaks(l) })
				return
			}
			for range 3 {
				l.Go(func() { leaks(l) })
			}
			for i := range 20 {
				l.GoNamed(fmt.Sprint("one ", i), func() { leaks(l) })
			}
		})
		if err != nil || len(said) != 1 {
			t.Fatalf("%v, %d reports: %q, want one", err, len(said), said)
		}
		if text := said[0]; !strings.HasPrefix(text, "ringo: drain took all of Grace (10ms), for: 3 × "+
			"ringo/internal/census_test.TestDrainSaysForWhom.") ||
			!strings.Contains(text, " (loop 0), parked in Sleep; ") ||
			strings.Count(text, "one ") != 9 || !strings.HasSuffix(text, "; and 12 more\n") {
			t.Errorf("%q", text)
		}
	})
}

// A drain whose time was changed names what it has taken.
func TestDrainSaysItsTime(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Grace = time.Hour
		said, err := drained(t, cfg, func(l *loop.Loop) {
			l.Set().SetGrace(10 * time.Millisecond)
			l.Go(func() { leaks(l) })
		})
		if err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "ringo: drain took all of Grace (10ms), for: ") {
			t.Errorf("%v, %q", err, said)
		}
	})
}

// One that ends before says nothing, nor does one that has no Grace.
func TestDrainSaysNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		for _, grace := range []time.Duration{time.Hour, -1} {
			cfg.Grace = grace
			said, err := drained(t, cfg, func(l *loop.Loop) {
				if grace < 0 {
					l.Go(func() { leaks(l) })
				}
			})
			if err != nil || len(said) != 0 {
				t.Errorf("Grace %v: %v, %q", grace, err, said)
			}
		}
	})
}

// drainLog is a handler of logs that is slow to take that a drain begins: until all loops have ended.
type drainLog struct {
	slog.Handler
	begins, ended chan struct{}
	taken         atomic.Bool
}

func (d *drainLog) Handle(_ context.Context, r slog.Record) error {
	switch r.Message {
	case "ringo: drain begins":
		close(d.begins)
		<-d.ended
		d.taken.Store(true)
	case "ringo: loop ends":
		close(d.ended)
	}
	return nil
}

// A drain that begins as the loops end has ended when Run returns.
func TestDrainEndsBeforeRun(t *testing.T) {
	cfg := small(anyDriver(t))
	d := &drainLog{begins: make(chan struct{}), ended: make(chan struct{}),
		Handler: slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})}
	cfg.Logger = slog.New(d)
	ctx, cancel := context.WithCancel(context.Background())
	err := runContext(t, ctx, cfg, func(*loop.Loop) error {
		cancel()
		<-d.begins
		return nil
	})
	if err != nil || !d.taken.Load() {
		t.Errorf("Run has returned %v, the drain has ended: %v", err, d.taken.Load())
	}
}

// The report comes beside a loop that is held, too, and names what holds it; so does Run's error, which says what the
// others wait for.
func TestDrainBesideHeldLoop(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Grace, cfg.HardStop, cfg.Stall = 10*time.Millisecond, 50*time.Millisecond, -1
		cfg.Loops = 2
		release, begun := make(chan struct{}), make(chan struct{})
		reports := make(chan string, 100)
		cfg.Complain = func(text string) { reports <- text }
		ctx, drain := context.WithCancel(context.Background())
		defer drain()
		err := runContext(t, ctx, cfg, func(l *loop.Loop) error {
			if l.Index() == 1 {
				l.GoNamed("stays", func() {
					l.Shield()
					l.Go(func() { close(begun) }) // which runs when this one is parked
					l.Offload(func(context.Context) error { <-release; return nil })
				})
				return nil
			}
			if err := l.Offload(func(context.Context) error { <-begun; return nil }); err != nil {
				return err
			}
			l.GoNamed("holder", func() {
				drain()
				<-release
			})
			return nil
		})
		var said []string
		for len(reports) > 0 {
			if text := testmain.Uncrowded(<-reports); text != "" {
				said = append(said, text)
			}
		}
		close(release)
		text := strings.Join(said, "")
		for _, want := range []string{
			"holder (loop 0), which holds its loop", "stays (loop 1), parked in Loop.Offload",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the report %q", want, text)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in Run's %v", want, err)
			}
		}
	})
}

// A report of a stall names the task as the program does.
func TestComplaintNamesTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Stall = 10 * time.Millisecond
		said, release := make(chan string, 1), make(chan struct{})
		cfg.Complain = func(text string) {
			if strings.Contains(text, " stands still ") {
				select {
				case said <- text:
					close(release)
				default:
				}
			}
		}
		alarm := time.AfterFunc(limit, func() {
			said <- "nobody complained"
			close(release)
		})
		err := run(t, cfg, func(l *loop.Loop) error {
			for _, name := range []string{"the first", "the second"} { // which may have its coroutine
				l.GoNamed(name, func() {
					if name == "the second" {
						<-release
					}
				}).Wait()
			}
			return nil
		})
		alarm.Stop()
		if text := <-said; err != nil ||
			!strings.Contains(text, ": task the second waits [chan receive]\n") {
			t.Errorf("%v, %s", err, text)
		}
	})
}
