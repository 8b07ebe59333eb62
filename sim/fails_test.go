package sim_test

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/testmain"
	"ringo/sim"
	"ringo/sock"
)

// stage is a test that notes that it fails, and whose Fatal and Skip end the goroutine that calls them.
type stage struct {
	recorder
	failed, skipped atomic.Bool
}

func (s *stage) Errorf(format string, args ...any) {
	s.failed.Store(true)
	s.recorder.Errorf(format, args...)
}
func (s *stage) Fail()         { s.failed.Store(true) }
func (s *stage) FailNow()      { s.failed.Store(true); runtime.Goexit() }
func (s *stage) SkipNow()      { s.skipped.Store(true); runtime.Goexit() }
func (s *stage) Failed() bool  { return s.failed.Load() }
func (s *stage) Skipped() bool { return s.skipped.Load() }

// plays calls fn as a test, and reports whether that returns.
func plays(t *testing.T, fn func(s *stage)) (s *stage, returns bool) {
	s = &stage{recorder: recorder{TB: t}}
	over := make(chan struct{})
	go func() {
		defer close(over)
		fn(s)
		returns = true
	}()
	<-over
	return s, returns
}

// idles is a program with a connection, a task that waits for it, and deferred functions.
func idles(l *ringo.Loop) error {
	a, b, err := sock.Pipe(l)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	l.Go(func() { io.Copy(io.Discard, b) })
	return l.Sleep(time.Hour)
}

// What ends a script or a task in other ways than by World.Errorf fails the world, with its seed, and hangs nothing.
func TestFailsWithItsSeed(t *testing.T) {
	for _, c := range []struct {
		name    string
		returns bool
		script  func(s *stage, w *sim.World)
		want    string
	}{
		{"Fatal in the script", false, func(s *stage, _ *sim.World) { s.FailNow() },
			"the script has called t.Fatal"},
		{"Fatal in an event", false, func(s *stage, w *sim.World) {
			w.After(time.Second, s.FailNow)
			w.RunFor(time.Minute)
		}, "the script has called t.Fatal"},
		{"Fatal in a task", false, func(s *stage, w *sim.World) {
			w.Host("there").Run(nil, func(l *ringo.Loop) error {
				l.Go(s.FailNow)
				return l.Sleep(time.Hour)
			})
			w.RunFor(time.Minute)
		}, "a task of there has called t.Fatal"},
		{"Errorf in the script", true, func(s *stage, _ *sim.World) { s.Errorf("by the script") },
			"but not by World.Errorf"},
		{"a panic in the script", true, func(*stage, *sim.World) { panic("of the script") },
			"the script, or an event of it, has panicked: of the script"},
		{"a panic in an event", true, func(_ *stage, w *sim.World) {
			w.After(time.Second, func() { panic("of an event") })
			w.RunFor(time.Minute)
		}, "has panicked: of an event"},
		{"a panic in a task", true, func(_ *stage, w *sim.World) {
			w.Wait(w.Host("there").Run(nil, func(*ringo.Loop) error { panic("of a task") }))
		}, "a task of there has panicked: of a task"},
		{"a panic where panics are reported", true, func(_ *stage, w *sim.World) {
			reports := func(*ringo.Loop, any, []byte) { panic("of the report") }
			w.Wait(w.Host("there").Run(&ringo.Config{OnPanic: reports}, func(*ringo.Loop) error { panic("of a task") }))
		}, "has panicked: of the report"},
		{"a panic as the host crashes", true, func(_ *stage, w *sim.World) {
			h := w.Host("there")
			h.Run(nil, func(l *ringo.Loop) error {
				defer func() { panic("of what was deferred") }()
				return l.Sleep(time.Hour)
			})
			w.RunFor(time.Second)
			h.Crash()
			w.RunFor(time.Second)
		}, "as by a crash, of there has panicked: of what was deferred"},
		{"a panic at the world's end", false, func(s *stage, w *sim.World) {
			w.Host("there").Run(nil, func(l *ringo.Loop) error {
				defer func() { panic("of what was deferred") }()
				for { // for longer than the drain has it
					l.Sleep(time.Hour)
				}
			})
			w.RunFor(time.Second)
			s.FailNow()
		}, "the script has called t.Fatal"}, // which was first
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("RINGO_SIM_FIRST", "7")
			for how, run := range map[string]func(s *stage, script func(w *sim.World)){
				"Run":     func(s *stage, script func(w *sim.World)) { sim.Run(s, 7, script) },
				"Explore": func(s *stage, script func(w *sim.World)) { sim.Explore(s, 4, script) },
			} {
				s, returns := plays(t, func(s *stage) {
					run(s, func(w *sim.World) {
						w.Host("idle").Run(nil, idles)
						w.RunFor(time.Second)
						c.script(s, w)
					})
				})
				if how == "Explore" && c.name == "Errorf in the script" {
					s.want(t, "RINGO_SIM_SEED=7 go test -run '^TestFailsWithItsSeed$/^Errorf_in_the_script$'")
				} else {
					s.want(t, c.want, "seed 7,", "RINGO_SIM_SEED=7 ", " go test -run '^TestFailsWithItsSeed$/^")
				}
				if returns != c.returns {
					t.Errorf("%s returns: %v", how, returns)
				}
			}
		})
	}
}

// A script that skips its test does.
func TestSkips(t *testing.T) {
	s, returns := plays(t, func(s *stage) {
		sim.Explore(s, 4, func(w *sim.World) {
			w.Host("idle").Run(nil, idles)
			w.RunFor(time.Second)
			s.SkipNow()
		})
	})
	if returns || s.text != "" || !s.Skipped() {
		t.Errorf("it returns: %v, is skipped: %v, says %q", returns, s.Skipped(), s.text)
	}
}

// A task may end itself by runtime.Goexit, if that is no test's.
func TestGoexitInTheWorld(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Check(w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
			if err := l.Go(runtime.Goexit).Wait(); err == nil {
				w.Errorf("it ended without an error")
			}
			return nil
		})))
	})
}

// Explore can be had in parts.
func TestExploreInParts(t *testing.T) {
	t.Setenv("RINGO_SIM_FIRST", "1000001")
	var sum atomic.Uint64
	sim.Explore(t, 3, func(w *sim.World) { sum.Add(w.Seed()) })
	if sum.Load() != 3*1000002 {
		t.Errorf("the sum of the seeds is %d", sum.Load())
	}
	t.Setenv("RINGO_SIM_FIRST", "one")
	tb := &recorder{TB: t}
	sim.Explore(tb, 3, func(*sim.World) { t.Error("it explores") })
	tb.want(t, "RINGO_SIM_FIRST=one: want a number")
}

// A task that leaves the world for good ends the process, which says how to play it again.
func TestLeavesForGood(t *testing.T) {
	testmain.NeedLong(t, "a watchdog of 10 s of real time")
	switch os.Getenv("RINGO_TEST_LEAVES") {
	case "a task of there":
		sim.Run(t, 9, func(w *sim.World) {
			w.Wait(w.Host("there").Run(nil, func(*ringo.Loop) error { select {} }))
		})
		return
	case "the function of an event":
		sim.Run(t, 9, func(w *sim.World) {
			w.After(time.Second, func() { select {} })
			w.RunFor(time.Minute)
		})
		return
	case "the script":
		sim.Run(sim.Goroutines(t), 9, func(w *sim.World) {
			said := make(chan struct{})
			go func() { w.Logf("x"); close(said) }()
			<-said
		})
		return
	case "a goroutine":
		sim.Run(sim.Goroutines(t), 9, func(w *sim.World) {
			w.Wait(w.Host("there").Run(nil, func(l *ringo.Loop) error {
				var mu sync.Mutex
				mu.Lock()
				go locksForever(&mu)
				return l.Sleep(time.Second)
			}))
		})
		return
	}
	t.Parallel() // ten seconds pass, or twenty
	var all sync.WaitGroup
	defer all.Wait()
	for who, more := range map[string]string{"a task of there": "seed 9: a task of there has left the world",
		"a goroutine": "locksForever", "the script": "seed 9: the script holds the world",
		"the function of an event": "After"} {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestLeavesForGood$", "-long")
			cmd.Env = append(os.Environ(), "RINGO_TEST_LEAVES="+who)
			out, err := cmd.CombinedOutput()
			for _, want := range []string{"seed 9: " + who, more,
				"RINGO_SIM_SEED=9 go test -run '^TestLeavesForGood$'"} {
				if err == nil || !strings.Contains(string(out), want) {
					t.Errorf("%v, and no %q in\n%s", err, want, out)
				}
			}
		})
	}
}

func locksForever(mu *sync.Mutex) { mu.Lock() }

// A host crashes with completions in its loop's queue, more than a turn takes: they are told before their tasks are
// unwound, which frees the ops.
func TestCrashWithCompletions(t *testing.T) {
	sim.Explore(t, 20, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		h, dialled := w.Host("here"), 0
		h.Run(&ringo.Config{Budget: 1}, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for range 30 {
				g.Go(func() error {
					l.Sleep(time.Second) // until all have begun
					c, err := sock.Dial(l, "tcp", "10.0.0.1:7000")
					if err != nil {
						return err
					}
					if dialled++; dialled == 2 {
						h.Crash()
					}
					return c.Close()
				})
			}
			return g.Wait()
		})
		w.RunFor(time.Minute)
		if !h.Down() || dialled != 2 {
			w.Errorf("%d have dialled; the host is down: %v", dialled, h.Down())
		}
	})
}

// Shrinking is bounded by what happens in worlds, and says so where that ends it.
func TestShrinkingHasABound(t *testing.T) {
	tb := &recorder{TB: t}
	played := 0
	sim.Run(tb, 1, func(w *sim.World) {
		played++
		w.Host("here")
		w.Storm(time.Hour, sim.Storm{Pause: 10 * time.Second})
		w.RunFor(time.Hour)
		if n := len(w.Faults()); n > 200 { // of which none can be spared in the end
			w.Errorf("too many pauses")
		}
	})
	if played != 301 {
		t.Errorf("%d worlds were played", played)
	}
	tb.want(t, "201 faults came before", "(300 worlds were run to find the fewest faults; there may be fewer)")
}

// Scripts that call t.Fatal are shrunk as others are, though the log has what each of their worlds says.
func TestFatalIsShrunk(t *testing.T) {
	s, returns := plays(t, func(s *stage) {
		sim.Run(s, 1, func(w *sim.World) {
			w.Host("here")
			w.Storm(time.Minute, sim.Storm{Pause: time.Second})
			w.RunFor(time.Minute)
			s.FailNow()
		})
	})
	if returns {
		t.Error("the test goes on")
	}
	s.want(t, "0 faults came before", "worlds were run to find the fewest faults", "RINGO_SIM_FAULTS= go test")
}
