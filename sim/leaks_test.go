package sim_test

import (
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/sim"
)

// What a crash has ended is unwound by the world's end, also if the crash was the last thing that happened, and if one
// of its deferred functions panics or has a host crash or run something.
func TestCrashAtTheEnd(t *testing.T) {
	for name, last := range map[string]func(w *sim.World, h *sim.Host){
		"by the script": func(_ *sim.World, h *sim.Host) { h.Crash() },
		"by a failed script": func(w *sim.World, h *sim.Host) {
			h.Crash()
			w.Errorf("wrong")
			w.RunFor(time.Second)
		},
		"by an event that fails": func(w *sim.World, h *sim.Host) {
			w.After(0, func() { h.Crash(); w.Errorf("wrong") })
			w.RunFor(1)
		},
		"at the end of a run":      func(w *sim.World, h *sim.Host) { w.After(1, h.Crash); w.RunUntil(1<<40, h.Down) },
		"with a restart under way": func(_ *sim.World, h *sim.Host) { h.Crash(); h.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			goroutines, ran := runtime.NumGoroutine(), 0
			for seed := range 20 {
				s := &stage{recorder: recorder{TB: t}}
				sim.Run(s, uint64(seed), func(w *sim.World) {
					h, other := w.Host("here"), w.Host("other")
					sleeps := func(l *ringo.Loop) error { return l.Sleep(time.Hour) }
					other.Run(nil, sleeps)
					h.Run(nil, func(l *ringo.Loop) error {
						defer func() {
							ran++
							other.Crash()
							w.Host("late").Run(nil, sleeps)
						}()
						l.Go(func() { l.Sleep(time.Hour) })
						return l.Sleep(time.Hour)
					})
					w.RunFor(time.Second)
					last(w, h)
				})
			}
			if ran != 20 {
				t.Errorf("%d deferred functions ran, want 20", ran)
			}
			err := patience.Poll(runtime.Gosched, func() bool { return runtime.NumGoroutine() <= goroutines })
			if err != nil {
				t.Fatalf("there were %d goroutines, and are %d: %v", goroutines, runtime.NumGoroutine(), err)
			}
		})
	}
}

// Storms at the same time each have hosts crash in mid-turn, to their own ends.
func TestStormsOverlap(t *testing.T) {
	crashes := func(storms func(w *sim.World)) (n int) {
		sim.Run(t, 1, func(w *sim.World) {
			w.Host("here").Run(nil, func(l *ringo.Loop) error {
				for l.Sleep(time.Second) == nil {
					if err := file.WriteFile("/data/x", []byte("x"), 0o600); err != nil {
						return nil
					}
				}
				return nil
			})
			storms(w)
			w.RunFor(10 * time.Minute)
			for _, f := range w.Faults() {
				if f.Kind == sim.FaultKill {
					n++
				}
			}
		})
		return n
	}
	alone := crashes(func(w *sim.World) { w.Storm(10*time.Minute, sim.Storm{MidTurn: 0.01}) })
	if alone == 0 {
		t.Fatal("a storm alone does nothing")
	}
	for name, storms := range map[string]func(w *sim.World){
		"a second": func(w *sim.World) {
			w.Storm(10*time.Minute, sim.Storm{MidTurn: 0.01})
			w.Storm(time.Minute, sim.Storm{Clock: time.Hour})
		},
		"a first": func(w *sim.World) {
			w.Storm(time.Minute, sim.Storm{MidTurn: 0.001})
			w.Storm(10*time.Minute, sim.Storm{MidTurn: 0.01})
		},
	} {
		if n := crashes(storms); n != alone {
			t.Errorf("beside %s storm there are %d crashes, alone %d", name, n, alone)
		}
	}
}

// A task that ends by runtime.Goexit has not failed the test that another world has failed meanwhile.
func TestGoexitInAFailedTest(t *testing.T) {
	s, returns := plays(t, func(s *stage) {
		gate := make(chan struct{})
		if runtime.GOMAXPROCS(0) == 1 {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		}
		sim.Explore(s, 2, func(w *sim.World) {
			p := w.Host("here").Run(nil, func(l *ringo.Loop) error {
				l.Go(func() {
					if w.Seed() == 1 {
						<-gate
					}
					runtime.Goexit()
				})
				return l.Sleep(time.Second)
			})
			if w.Seed() == 2 {
				w.Errorf("seed 2 is wrong")
				s.Fail()
				close(gate)
			}
			w.Wait(p)
		})
	})
	if s.want(t, "seed 2,", "seed 2 is wrong"); !returns {
		t.Error("the test has ended with the task")
	}
}
