package sim_test

import (
	"errors"
	"fmt"
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
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell here:", err)
	}
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

// A program that is busy alone goes on, and is not taken for one that has left the world; one that waits for what is
// not Ringo's is.
func TestBusyAlone(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		for range 1000 {
			sim.Stands(w)
			l.Yield()
			if sim.Stands(w) {
				return errors.New("the watchdog takes a program that yields for one that hangs")
			}
		}
		if !sim.Stands(w) {
			return errors.New("the watchdog does not see a turn that lasts")
		}
		return nil
	})
}

// A world in which a program is busy alone stops at the end of the turn in which it has failed, and stands still in
// that in which its host is paused.
func TestBusyAloneStops(t *testing.T) {
	for begun := range 100 {
		s, after := &stage{recorder: recorder{TB: t}}, 0
		sim.Run(s, 1, func(w *sim.World) {
			w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
				for range begun {
					l.Yield()
				}
				w.Errorf("wrong")
				for ; after < 1000; after++ {
					l.Yield()
				}
				return nil
			}))
		})
		s.want(t, "wrong")
		if after > 1 {
			t.Fatalf("it had %d turns more behind the failure", after)
		}
		here(t, func(w *sim.World, l *ringo.Loop) error {
			for range begun {
				l.Yield()
			}
			at := w.Elapsed()
			w.Hosts()[0].Pause(time.Hour)
			l.Yield()
			l.Yield()
			if took := w.Elapsed() - at; took < time.Hour {
				return fmt.Errorf("a pause of an hour has taken %v", took)
			}
			return nil
		})
	}
}

// RunUntil asks its condition after each turn, also where a program is busy alone; the history is that of RunFor.
func TestUntilAsksEachTurn(t *testing.T) {
	for _, want := range []int{1, 10, 1000} {
		n, hashes := 0, [2]uint64{}
		counts := func(w *sim.World) {
			w.Host("here").Run(nil, func(l *ringo.Loop) error {
				for n = 0; n < 2000; n++ {
					l.Yield()
				}
				return l.Sleep(time.Minute)
			})
		}
		sim.Run(t, 1, func(w *sim.World) {
			counts(w)
			if !w.RunUntil(time.Minute, func() bool { return n >= want }) || n != want {
				w.Errorf("RunUntil has returned at %d, want %d", n, want)
			}
			w.RunUntil(2*time.Second-w.Elapsed(), func() bool { return false })
			hashes[0] = w.Hash()
		})
		sim.Run(t, 1, func(w *sim.World) { counts(w); w.RunFor(2 * time.Second); hashes[1] = w.Hash() })
		if hashes[0] != hashes[1] {
			t.Errorf("histories %x: they depend on whether somebody asks", hashes)
		}
	}
}

// A program that is busy alone for good is told of before go test ends it.
func TestBusyAtTheTestsEnd(t *testing.T) {
	s, _ := plays(t, func(s *stage) {
		sim.Run(hurried{s, time.Now().Add(200 * time.Millisecond)}, 4, func(w *sim.World) {
			w.Wait(w.Host("busy").Run(nil, func(l *ringo.Loop) error {
				for {
					l.Yield()
				}
			}))
		})
	})
	s.want(t, "seed 4", "the test's time is about to be over", "busy: ")
}

// An event or a condition that lasts holds the world, and one behind another does not, nor does the script.
func TestEventsThatStand(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		asks := func(what string) {
			if sim.Stands(w) {
				w.Errorf("the watchdog takes %s that has just begun for one that lasts", what)
			}
			if !sim.Stands(w) {
				w.Errorf("the watchdog does not see %s that lasts", what)
			}
		}
		sim.Stands(w)
		for range 3 {
			w.After(time.Second, func() { asks("an event") })
		}
		w.RunFor(time.Minute)
		sim.Stands(w) // at rest, as behind a long computation of the script
		n := 0
		w.RunUntil(time.Minute, func() bool { asks("a condition"); n++; return n == 2 })
		for range 2 {
			if sim.Stands(w) {
				w.Errorf("the watchdog takes the script for an event")
			}
		}
	})
}

// A script that blocks is told of, with the seed and its stack, before go test ends it.
func TestScriptBlocksAtTheTestsEnd(t *testing.T) {
	var text string
	ended := make(chan struct{})
	sim.Exits(t, func(s string) { text = s; close(ended) })
	plays(t, func(s *stage) {
		sim.Run(hurried{s, time.Now()}, 4, func(*sim.World) { <-ended })
	})
	for _, want := range []string{"seed 4", "RINGO_SIM_SEED=4", "TestScriptBlocksAtTheTestsEnd", "chan receive"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
