package census_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/test/looptest"
)

// Of two tasks that compute, the one that does so ten times as long has the greater share while somebody watches; and
// a loop that nobody watches any more has no meter.
func TestMeter(t *testing.T) {
	const rounds = 100
	cfg := small(anyDriver(t))
	var clock looptest.Clock
	cfg.Clock = clock.Now
	err := run(t, cfg, func(l *loop.Loop) error {
		over := false
		spin := func(d time.Duration) func() {
			return func() {
				for !over {
					for end := time.Now().Add(d); time.Now().Before(end); {
					}
					l.YieldTurn()
				}
			}
		}
		much, little := l.GoNamed("much", spin(2*time.Millisecond)), l.GoNamed("little", spin(20*time.Microsecond))
		shares := map[string]int64{}
		for round := 0; shares["much"] == 0 && round < 10*rounds; round++ {
			if round%rounds == rounds-1 {
				clock.Jump(time.Second) // a span is over
			}
			census.Meter(l)
			for _, i := range census.Tasks(l) {
				shares[i.Name()] = i.Ran
			}
			l.YieldTurn()
		}
		over = true
		much.Wait()
		little.Wait()
		if shares["much"] <= shares["little"] || shares["much"] > 1e6 {
			t.Errorf("shares in millionths: %v", shares)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Tasks that panic or call runtime.Goexit end in a loop that somebody watches as they do in another, and the others run
// on.
func TestMeterAndTasksThatBreak(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		panics := 0
		cfg.OnPanic = func(*loop.Loop, any, []byte) { panics++ }
		err := run(t, cfg, func(l *loop.Loop) error {
			lasts := l.GoNamed("lasts", func() {
				for l.Sleep(time.Millisecond) >= 0 {
				}
			})
			const rounds = 20
			for range rounds {
				census.Meter(l)
				l.YieldTurn() // from the next turn on
				if !census.Metered(l) {
					t.Error("nobody watches")
				}
				broken := []*loop.Task{
					l.Go(runtime.Goexit),
					l.Go(func() { panic("a test's") }),
					l.Go(func() { l.YieldTurn(); runtime.Goexit() }),
					l.Go(func() { l.YieldTurn(); panic("a test's") }),
				}
				for i, b := range broken {
					if err := b.Wait(); err == nil || i%2 == 0 && !errors.Is(err, loop.ErrGoexit) {
						t.Errorf("task %d ended with %v", i, err)
					}
				}
			}
			l.YieldTurn() // to the last call of OnPanic
			names := 0
			for _, i := range census.Tasks(l) {
				if i.Name() == "lasts" {
					names++
				}
			}
			if names != 1 || panics != 2*rounds {
				t.Errorf("%d panics, want %d; %d tasks that last", panics, 2*rounds, names)
			}
			lasts.Cancel()
			lasts.Wait()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
