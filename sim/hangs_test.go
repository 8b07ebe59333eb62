//go:build linux

package sim_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
)

// beats is a program with a heartbeat.
func beats(l *ringo.Loop) error {
	for l.Sleep(50*time.Millisecond) == nil {
	}
	return nil
}

// hangs waits for what never comes.
func hangs(*ringo.Loop) error {
	_, err := ringo.NewChan[int](0).Recv()
	return err
}

// Whoever hangs beside a program that always has something to do is told of, with the seed.
func TestHangBesideHeartbeat(t *testing.T) {
	sim.ShortWaits(t, time.Hour, 10_000)
	s, _ := plays(t, func(s *stage) {
		sim.Run(s, 3, func(w *sim.World) {
			w.Host("server").Run(nil, beats)
			w.Wait(w.Host("client").Run(nil, hangs))
		})
	})
	s.want(t, "seed 3", "they still run", "client: ", "RINGO_SIM_SEED=3")
}

// What sleeps for long beside nothing that happens is none.
func TestLongSleepIsNoHang(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Check(w.Wait(w.Host("there").Run(nil, func(l *ringo.Loop) error { return l.Sleep(300 * 24 * time.Hour) })))
	})
}

// hurried is a test that has to end soon.
type hurried struct {
	*stage
	end time.Time
}

func (h hurried) Deadline() (time.Time, bool) { return h.end, true }

// A world that would go on for longer than its test may is told of before go test ends it, with the seed.
func TestHangAtTheTestsEnd(t *testing.T) {
	s, _ := plays(t, func(s *stage) {
		sim.Run(hurried{s, time.Now().Add(200 * time.Millisecond)}, 4, func(w *sim.World) {
			w.Host("server").Run(nil, beats)
			w.RunUntil(1<<62, func() bool { return false })
		})
	})
	s.want(t, "seed 4", "the test's time is about to be over", "server: ")
}

// The command of a failure finds the test, whatever it is called, and a shell takes it for one word.
func TestCommand(t *testing.T) {
	for _, name := range []string{"TestX", "TestX/a_b", "TestX/a+b_(crash)", "TestX/x[1]/y", `TestX/it's_$HOME`,
		"TestX/1.5|2"} {
		word := strings.TrimPrefix(sim.Command(name), "go test -run ")
		out, err := exec.Command("sh", "-c", "printf '%s\\n' "+word).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		patterns, parts := strings.Split(strings.TrimSuffix(string(out), "\n"), "/"), strings.Split(name, "/")
		for i, part := range parts {
			if ok, err := regexp.MatchString(patterns[i], part); !ok || err != nil || len(patterns) != len(parts) {
				t.Errorf("%s: %q does not find %q: %v", name, patterns, part, err)
			}
		}
	}
}
