package ringo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/places"
	"ringo/internal/rt/labels"
)

func TestRunWithoutConfig(t *testing.T) {
	var loops atomic.Int64
	ended := make(chan error, 1)
	want := defaultLoops()
	go func() {
		ended <- ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
			loops.Add(1)
			if l.Info().Name == "" || l.Info().Reason == "" {
				t.Errorf("Info: %+v, want a driver and why it was chosen", l.Info())
			}
			return nil
		})
	}()
	if err := receive(t, "the end of Run", ended); err != nil {
		t.Fatal(err)
	}
	equal(t, "loops", int(loops.Load()), want)
}

// defaultLoops is how many loops there are where nobody says how many: see Config.Loops.
func defaultLoops() int {
	if os.Getenv("GOMAXPROCS") != "" {
		return runtime.GOMAXPROCS(0)
	}
	return min(runtime.GOMAXPROCS(0), places.Whole(places.Quota(kernel.Root())))
}

// fn runs once on each loop, at the same time.
func TestRunCallsFnOncePerLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 5
		var mu sync.Mutex
		var seen []int
		all := make(chan struct{})
		err := run(t, cfg, func(l *ringo.Loop) error {
			mu.Lock()
			seen = append(seen, l.Index())
			if len(seen) == cfg.Loops {
				close(all)
			}
			mu.Unlock()
			// Each loop waits here for all others: one after the other would hang.
			await(t, l, "the other loops", all)
			if loops := l.Loops(); len(loops) != cfg.Loops || loops[l.Index()] != l {
				t.Errorf("Loops of loop %d: %v", l.Index(), loops)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(seen)
		equalList(t, "loops", seen, []int{0, 1, 2, 3, 4})
	})
}

func TestSeveralRunsAtOnce(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const runs = 4
		cfg.Loops = 2
		var inside atomic.Int64
		all := make(chan struct{})
		var ends []<-chan error
		for range runs {
			ends = append(ends, start(context.Background(), cfg, func(l *ringo.Loop) error {
				if inside.Add(1) == int64(runs*cfg.Loops) {
					close(all)
				}
				await(t, l, "the loops of the other Runs", all)
				return nil
			}))
		}
		for _, end := range ends {
			if err := receive(t, "the end of Run", end); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRunInsideOffload(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var inner *ringo.Loop
		mustRun(t, cfg, func(outer *ringo.Loop) {
			ticks := 0
			outer.Go(func() {
				for outer.Sleep(time.Millisecond) == nil && inner == nil {
					ticks++
				}
			})
			err := outer.Offload(func(ctx context.Context) error {
				return ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					// A task of the inner loop is a stranger to the outer one.
					if panics(func() { outer.Sleep(0) }) == nil {
						t.Error("the outer loop's Sleep has slept")
					}
					done := make(chan struct{})
					outer.Post(func() { close(done) })
					await(t, l, "the outer loop's task", done)
					return l.Sleep(5 * time.Millisecond)
				})
			})
			if err != nil {
				t.Errorf("the inner Run: %v", err)
			}
			inner = outer
		})
	})
}

func TestFirstErrorCancelsAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		var cancelled atomic.Int64
		var ready sync.WaitGroup
		ready.Add(2 * cfg.Loops)
		all := make(chan struct{})
		go func() { ready.Wait(); close(all) }()
		sleeper := func(l *ringo.Loop) error {
			ready.Done()
			err := l.Sleep(time.Hour)
			if errors.Is(err, context.Canceled) {
				cancelled.Add(1)
			}
			return err
		}
		cfg.Grace = time.Hour // which an error does not have
		err := run(t, cfg, func(l *ringo.Loop) error {
			l.Go(func() { sleeper(l) })
			switch l.Index() {
			case 1:
				ready.Done()
				await(t, l, "all tasks", all)
				return io.ErrUnexpectedEOF
			case 2:
				sleeper(l)
				return errors.New("a later error")
			}
			return fmt.Errorf("cancelled: %w", sleeper(l))
		})
		if err != io.ErrUnexpectedEOF {
			t.Errorf("Run: %v, want the first error alone", err)
		}
		equal(t, "cancelled tasks", cancelled.Load(), int64(2*cfg.Loops-1))
	})
}

// Once the context has ended, some errors only say so.
func TestOrderlyErrors(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		name    string
		err     error
		orderly bool
	}{
		{"nil", nil, true},
		{"net.ErrClosed", net.ErrClosed, true},
		{"wrapped net.ErrClosed", &net.OpError{Op: "accept", Err: net.ErrClosed}, true},
		{"context.Canceled", context.Canceled, true},
		{"context.DeadlineExceeded", fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{"another", other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, ended := range []bool{true, false} {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				cfg := anyDriver(t)
				err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
					if ended {
						cancel()
						drained(t, l)
					}
					return c.err
				})
				want := c.err
				if ended && c.orderly {
					want = nil
				}
				if err != want {
					t.Errorf("context ended: %v: Run gives %v, want %v", ended, err, want)
				}
			}
		})
	}
}

// drained returns when the loop has been told that Run's context has ended.
func drained(t testing.TB, l *ringo.Loop) {
	sleepUntil(t, l, "the drain", func() bool { return ringo.Draining(l) })
}

// What is named has labels that say its name, with those of who started it; and all tasks have if they are to.
func TestTaskLabels(t *testing.T) {
	if !labels.Readable() {
		t.Skip("labels can't be read here")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, all := range []bool{false, true} {
			cfg.LabelTasks = all
			mustRun(t, cfg, func(l *ringo.Loop) {
				got := map[string]string{}
				note := func(who string) func() { return func() { got[who] = myLabels() } }
				var started []*ringo.Task
				posted := ringo.NewChan[int](1)
				labelled("me", func() {
					started = append(started, l.GoNamed("named", note("named")), l.Go(note("other")))
					l.Post(func() { note("post")(); posted.Send(1) })
				})
				started = append(started, l.GoNamed("parent", func() {
					l.Go(note("child")).Wait()
					l.GoNamed("itself", note("named child")).Wait()
				}))
				l.Call(func() error { note("call")(); return nil })
				for _, task := range started {
					task.Wait()
				}
				posted.Recv()
				plain := "ringo_test.TestTaskLabels" // and what the compiler calls a closure
				want := map[string][]string{
					"named":       {`"task":"named"`, `"who":"me"`, `"loop":"0"`},
					"other":       {`"who":"me"`},
					"post":        {`"who":"me"`},
					"child":       {`"task":"parent"`, `"loop":"0"`},
					"named child": {`"task":"itself"`, `"loop":"0"`},
					"call":        nil,
				}
				if all {
					for who, w := range want {
						if !strings.HasPrefix(who, "named") {
							want[who] = append(w[:0:0], `"task":"`+plain, `"loop":"0"`)
						}
					}
				}
				for who, parts := range want {
					for _, part := range parts {
						if !strings.Contains(got[who], part) {
							t.Errorf("all=%v: %s has labels %s, want %s", all, who, got[who], part)
						}
					}
					if parts == nil && got[who] != "" {
						t.Errorf("all=%v: %s has labels %s, want none", all, who, got[who])
					}
				}
				l.Go(note("next")).Wait() // in a coroutine that had others
				if strings.Contains(got["next"], "itself") || !all && got["next"] != "" {
					t.Errorf("all=%v: the next task has labels %s", all, got["next"])
				}
			})
		}
	})
}

// lockedBuffer is a buffer that several threads write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// The Logger is told what begins and ends, of tasks too where it wants to know that much.
func TestLogger(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
			var text lockedBuffer
			var driver string // RINGO_DRIVER=auto decides over the configuration
			cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}))
			cfg.StallLimit = -1
			ctx, cancel := context.WithCancel(context.Background())
			err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
				driver = l.Info().Name
				l.GoNamed("a task", func() {}).Wait()
				cancel()
				_, err := l.Draining().Recv()
				if err == ringo.ErrClosed {
					err = nil
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			said := text.b.String()
			if level > slog.LevelDebug {
				if said != "" {
					t.Errorf("at level %v it is told\n%s", level, said)
				}
				continue
			}
			for _, want := range []string{
				fmt.Sprintf(`msg="ringo: loop begins" loop=0 driver=%s reason=`, driver),
				`msg="ringo: task begins" loop=0 task=1 name=`,
				`msg="ringo: task ends" loop=0 task=1 name=ringo_test.TestLogger`,
				`msg="ringo: task begins" loop=0 task=2 name="a task"`,
				`msg="ringo: task ends" loop=0 task=2 name="a task"`,
				`msg="ringo: drain begins" grace=5s`,
				`msg="ringo: loop ends" loop=0`,
			} {
				if !strings.Contains(said, want) {
					t.Errorf("it is not told %s but\n%s", want, said)
				}
			}
		}
	})
}

// The Logger is told of stalls where nobody has asked for what begins and ends, and by whom, beside OnStall.
func TestLoggerOfStalls(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var text lockedBuffer
		cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))
		stalled(t, cfg, func(l *ringo.Loop, hold func()) { l.Go(func() { hold() }).Wait() })
		said := text.b.String()
		want := `level=WARN msg="ringo: stall" loop=0 "so far"=`
		if !strings.Contains(said, want) || !strings.Contains(said, "TestLoggerOfStalls") {
			t.Errorf("it is not told %s of this test's function, but\n%s", want, said)
		}
	})
}

// Loops finds the loops of all Runs, and none that has ended; Info tells the Runs apart.
func TestLoopsOfTheProcess(t *testing.T) {
	before := len(ringo.Loops())
	var outer, inner []*ringo.Loop
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() != 0 {
			return l.Loops()[0].Call(func() error { return nil }) // both have begun then
		}
		if err := l.Loops()[1].Call(func() error { return nil }); err != nil {
			return err
		}
		outer = l.Loops()
		return l.Offload(func(context.Context) error {
			return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				inner = l.Loops()
				if l.Info().Run == outer[0].Info().Run || outer[0].Info().Run != outer[1].Info().Run {
					t.Errorf("Runs %d, %d and %d", l.Info().Run, outer[0].Info().Run, outer[1].Info().Run)
				}
				all := ringo.Loops()
				for _, want := range []*ringo.Loop{l, outer[0]} {
					if !slices.Contains(all, want) {
						t.Errorf("Loops lacks loop %d of Run %d", want.Index(), want.Info().Run)
					}
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(inner) != 1 || inner[0].Info().Run == 0 {
		t.Fatalf("%d inner loops", len(inner))
	}
	if after := ringo.Loops(); len(after) != before {
		t.Errorf("%d loops after the Runs have ended, %d before", len(after), before)
	}
}

// GOMAXPROCS is raised by the loops while they run, and put back.
func TestGOMAXPROCS(t *testing.T) {
	base := runtime.GOMAXPROCS(0)
	restore := func() { runtime.GOMAXPROCS(base) }
	// held is a Run of some loops that goes on until it is told to end.
	held := func(t *testing.T, loops int) (end func()) {
		cfg := anyDriver(t)
		cfg.Loops = loops
		begun, over := make(chan struct{}, loops), make(chan struct{})
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			begun <- struct{}{}
			return l.Offload(func(context.Context) error { <-over; return nil })
		})
		for range loops {
			receive(t, "a loop", begun)
		}
		return func() {
			close(over)
			if err := receive(t, "the end of Run", ended); err != nil {
				t.Error(err)
			}
		}
	}
	// now wakes all loops: those that have had nothing to do for a while don't count, and a process that others keep
	// from running has such.
	now := func(t *testing.T, when string, want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("GOMAXPROCS of %d %s", want, when), func() bool {
			for _, l := range ringo.Loops() {
				l.Post(func() {})
			}
			return runtime.GOMAXPROCS(0) == want
		})
	}
	t.Run("one Run", func(t *testing.T) {
		defer restore()
		end := held(t, 3)
		now(t, "beside 3 loops", base+3)
		end()
		now(t, "after them", base)
	})
	t.Run("nested Runs", func(t *testing.T) {
		defer restore()
		outer := held(t, 1)
		inner := held(t, 2)
		now(t, "beside 1 + 2 loops", base+3)
		inner()
		now(t, "beside 1 loop", base+1)
		outer()
		now(t, "after them", base)
	})
	t.Run("overlapping Runs", func(t *testing.T) {
		defer restore()
		first, second := held(t, 1), held(t, 2)
		first()
		now(t, "beside the second's 2 loops", base+2)
		third := held(t, 4)
		second()
		now(t, "beside the third's 4 loops", base+4)
		third()
		now(t, "after them", base)
	})
	t.Run("the program's own change stands", func(t *testing.T) {
		defer restore()
		first := held(t, 2)
		runtime.GOMAXPROCS(base + 11)
		second := held(t, 1)
		now(t, "beside 1 loop that came later", base+12)
		first()
		now(t, "when one from before has ended", base+12)
		second()
		now(t, "after them", base+11)
		third := held(t, 1)
		runtime.GOMAXPROCS(base + 5)
		third()
		now(t, "when nobody came later", base+5)
	})
	t.Run("default number of loops", func(t *testing.T) {
		byDefault := defaultLoops()
		defer restore()
		defer held(t, 2)()
		cfg := anyDriver(t)
		cfg.Loops = 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			equal(t, "loops beside another Run", len(l.Loops()), byDefault)
		})
	})
}

// Run in a bubble fails at once, from any goroutine there, and leaves nothing behind.
func TestRunInABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		refused := func(t *testing.T) {
			err := ringo.Run(t.Context(), &cfg, func(*ringo.Loop) error { t.Error("fn was called"); return nil })
			if !errors.Is(err, ringo.ErrBubble) || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Run: %v, want ErrBubble", err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			refused(t)
			done := make(chan struct{})
			go func() { defer close(done); refused(t) }()
			<-done
			time.Sleep(time.Hour) // goes on, because nobody waits elsewhere
			refused(t)
		})
		mustRun(t, cfg, func(l *ringo.Loop) {
			equal(t, "Offload", l.Offload(func(context.Context) error { synctest.Test(t, refused); return nil }), nil)
		})
	})
}

// bubbleCalls are what a goroutine may ask of a loop, or wait for together with its tasks. The loop is outside the
// bubble of the goroutine.
var bubbleCalls = map[string]func(t *testing.T, l *ringo.Loop){
	"Loop.Call": func(t *testing.T, l *ringo.Loop) {
		wrong := errors.New("wrong")
		equal(t, "Call", l.Call(func() error { l.Sleep(time.Millisecond); return wrong }), wrong)
	},
	"Loop.Post": func(t *testing.T, l *ringo.Loop) {
		var done ringo.WaitGroup
		done.Add(1)
		equal(t, "Post", l.Post(func() { l.Sleep(time.Millisecond); done.Done() }), nil)
		done.Wait()
	},
	"Task.Cancel": func(t *testing.T, l *ringo.Loop) {
		var err error
		task := l.Go(func() { err = l.Sleep(time.Hour) })
		task.Cancel()
		equal(t, "Wait", task.Wait(), nil)
		wantCanceled(t, "Sleep", err)
	},
	"WaitGroup.Go": func(t *testing.T, l *ringo.Loop) {
		var all ringo.WaitGroup
		ch, sum := ringo.NewChan[int](0), 0
		for v := range 4 {
			all.Go(func() { equal(t, "Send", ch.Send(v), nil) })
		}
		task := l.Go(func() {
			for range 4 {
				v, _ := ch.Recv()
				sum += v
			}
		})
		all.Wait()
		task.Wait()
		equal(t, "sum", sum, 6)
	},
	"Semaphore": func(t *testing.T, l *ringo.Loop) {
		s := ringo.NewSemaphore(1)
		s.TryAcquire(1)
		task := l.Go(func() { l.Sleep(time.Millisecond); s.Release(1) })
		equal(t, "Acquire", s.Acquire(t.Context(), 1), nil)
		task.Wait()
	},
	"Mutex": func(t *testing.T, l *ringo.Loop) {
		var m, locked ringo.Mutex
		locked.Lock()
		task := l.Go(func() { m.Lock(); locked.Unlock(); l.Sleep(time.Millisecond); m.Unlock() })
		locked.Lock()
		m.Lock()
		equal(t, "TryLock", m.TryLock(), false)
		m.Unlock()
		task.Wait()
	},
	"Ticker": func(t *testing.T, l *ringo.Loop) {
		var ticker *ringo.Ticker
		equal(t, "Call", l.Call(func() error { ticker = l.NewTicker(time.Millisecond); return nil }), nil)
		for range 3 {
			_, err := ticker.C.Recv()
			equal(t, "Recv", err, nil)
		}
		equal(t, "Call", l.Call(func() error { ticker.Stop(); return nil }), nil)
	},
	"a context of the bubble": func(t *testing.T, l *ringo.Loop) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantCanceled(t, "WithContext in Call", l.Call(func() error {
			return l.WithContext(ctx, func() error { return l.Sleep(time.Hour) })
		}))
	},
	"Loop.Stats": func(t *testing.T, l *ringo.Loop) { equal(t, "turns", l.Stats().Turns > 0, true) },
}

// Goroutines in a bubble wait for a loop outside as they do outside.
func TestCallsFromABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range bubbleCalls {
			t.Run(name, func(t *testing.T) {
				mustRun(t, cfg, func(l *ringo.Loop) {
					equal(t, "Offload", l.Offload(func(context.Context) error {
						synctest.Test(t, func(t *testing.T) { call(t, l) })
						return nil
					}), nil)
				})
			})
		}
	})
}
