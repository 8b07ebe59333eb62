package loop_test

import (
	"testing"
	"time"

	"ringo/internal/loop"
)

// Of two tasks that compute, the one that does so ten times as long has the greater share while somebody watches; and
// a loop that nobody watches any more has no meter.
func TestMeter(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
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
			for begun := time.Now(); shares["much"] == 0 && time.Since(begun) < limit; {
				l.Meter()
				for _, i := range l.Tasks() {
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
	})
}
