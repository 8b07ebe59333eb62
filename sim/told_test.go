package sim_test

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

// Of many lines the last ones are told, and how many there were before.
func TestLastLogs(t *testing.T) {
	for lines, want := range map[int][]string{
		40:   {"log:           0s  line 0\n", "line 39\n"},
		5000: {"log: 4960 lines more, before these:\n", "line 4960\n", "line 4999\n"},
	} {
		s := &stage{recorder: recorder{TB: t}}
		sim.Run(s, 1, func(w *sim.World) {
			for i := range lines {
				w.Logf("line %d", i)
			}
			w.Errorf("wrong")
		})
		s.want(t, want...)
		if n := strings.Count(s.text, "  line "); n != 40 {
			t.Errorf("of %d lines %d are told", lines, n)
		}
	}
}

// A failure with more faults than its command can name says so.
func TestManyFaults(t *testing.T) {
	const said = "too many for a command"
	for faults, says := range map[int]bool{40: false, 41: true} {
		s := &stage{recorder: recorder{TB: t}}
		sim.Run(s, 1, func(w *sim.World) {
			w.Host("here")
			w.Storm(time.Hour, sim.Storm{Pause: time.Minute})
			w.RunUntil(time.Hour, func() bool { return len(w.Faults()) == faults })
			if len(w.Faults()) == faults {
				w.Errorf("wrong")
			}
		})
		s.want(t, "RINGO_SIM_SEED=1")
		if strings.Contains(s.text, said) != says {
			t.Errorf("%d faults:\n%s", faults, s.text)
		}
	}
}

// Events are the same whether somebody has a trace written or not.
func TestEventsWithTrace(t *testing.T) {
	events := func(traced bool) (all []sim.Event) {
		sim.Run(t, 1, func(w *sim.World) {
			if traced {
				w.TraceTo(io.Discard)
			}
			w.Check(w.Wait(w.Host("here").Run(nil, func(*ringo.Loop) error {
				return file.WriteFile("/data/x", []byte("x"), 0o600)
			})))
			all = w.Events()
		})
		return all
	}
	if a, b := events(false), events(true); !reflect.DeepEqual(a, b) || len(a) == 0 {
		t.Errorf("without a trace %v, with one %v", a, b)
	}
}

// A host that is restarted stands still no more.
func TestRestartEndsPause(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		var began []time.Duration
		h.Run(nil, func(l *ringo.Loop) error { began = append(began, w.Elapsed()); return l.Sleep(time.Hour) })
		w.RunFor(time.Second)
		h.Pause(30 * time.Minute)
		w.RunFor(time.Second)
		h.Crash()
		w.RunFor(time.Second)
		h.Restart()
		w.RunFor(time.Second)
		if len(began) != 2 {
			w.Errorf("the program began at %v, and not again after 3 s", began)
		}
	})
}
