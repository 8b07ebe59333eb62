package ringo_test

import (
	"context"
	"errors"
	"io"
	"os"
	"ringo/stats"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// callerKey is of a value of the caller's context.
type callerKey struct{}

// Call runs its function as a task there, whoever calls, and gives what became of it.
func TestCall(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		beside(t, cfg, func(l *ringo.Loop) {
			for who, run := range everybody {
				_, wait := run(l, func(*ringo.Loop) {
					for _, to := range l.Loops() {
						err := to.Call(func() error {
							if err := to.Sleep(time.Microsecond); err != nil { // for the loop's tasks only
								t.Errorf("Sleep: %v", err)
							}
							return io.EOF
						})
						equal(t, who+": Call", err, io.EOF)
						equal(t, who+": Call of nil", to.Call(func() error { return nil }), nil)
						equal(t, who+": Call of Goexit",
							to.Call(func() error { runtime.Goexit(); return nil }), ringo.ErrGoexit)
						var p *ringo.PanicError
						err = to.Call(func() error { panic(io.EOF) })
						if !errors.As(err, &p) || !errors.Is(err, io.EOF) {
							t.Errorf("%s: Call of a panic: %v", who, err)
						}
					}
				})
				wait()
			}
		})
	})
}

// What ends the waits of the caller ends those of what it calls, with the same error, and Call awaits the end.
func TestCallEndsWithItsCaller(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			mine := errors.New("mine")
			for _, to := range l.Loops() {
				for how, c := range map[string]struct {
					within func(fn func() error) error
					is     func(error) bool
				}{
					"cancel": {func(fn func() error) error { return fn() },
						func(err error) bool { return err == context.Canceled }},
					"timeout": {func(fn func() error) error { return l.WithTimeout(time.Millisecond, fn) },
						func(err error) bool {
							return errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled)
						}},
					"context": {func(fn func() error) error {
						ctx, cancel := context.WithCancelCause(l.Context())
						l.AfterFunc(time.Millisecond, func() { cancel(mine) })
						return l.WithContext(ctx, fn)
					}, func(err error) bool { return errors.Is(err, mine) }},
				} {
					ready := ringo.NewChan[int](1)
					task := l.Go(func() {
						after := false
						err := c.within(func() error {
							return to.Call(func() error {
								ready.TrySend(1)
								err := to.Sleep(time.Hour)
								if again := to.Offload(wait); !c.is(again) {
									t.Errorf("%s: Offload: %v", how, again)
								}
								to.WithTimeout(time.Hour, func() error {
									if err := to.Sleep(time.Hour); !c.is(err) {
										t.Errorf("%s: in a block of its own: %v", how, err)
									}
									return nil
								})
								after = true
								return err
							})
						})
						if !c.is(err) || !after {
							t.Errorf("%s: Call: %v, awaited: %v", how, err, after)
						}
					})
					if ready.Recv(); how == "cancel" {
						task.Cancel()
					}
					task.Wait()
				}
			}
		})
	})
}

func wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// The values of the caller's context are there.
func TestCallHasValues(t *testing.T) {
	cfg := anyDriver(t)
	cfg.Loops = 2
	beside(t, cfg, func(l *ringo.Loop) {
		other := l.Loops()[1]
		l.WithContext(context.WithValue(cancelable(t), callerKey{}, "mine"), func() error {
			return other.Call(func() error {
				equal(t, "value", other.Context().Value(callerKey{}), any("mine"))
				return nil
			})
		})
	})
}

func cancelable(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}

// A loop that has ended runs nothing, and says so.
func TestCallAfterTheEnd(t *testing.T) {
	var l *ringo.Loop
	mustRun(t, anyDriver(t), func(loop *ringo.Loop) { l = loop })
	equal(t, "Call", l.Call(func() error { t.Error("it ran"); return nil }), ringo.ErrEnded)
}

// Yield gives all others that are ready a turn, those whose mail has come too, and a cancel does not end it.
func TestYield(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ran := 0
			for range 5 {
				l.Go(func() { ran++ })
			}
			l.Yield()
			equal(t, "tasks that ran", ran, 5)
			var cancelled *ringo.Task
			cancelled = l.Go(func() {
				cancelled.Cancel()
				before := ran
				l.Go(func() { ran++ })
				l.Yield()
				equal(t, "tasks that ran beside a cancelled one", ran, before+1)
			})
			cancelled.Wait()
			turns := l.Stats().Turns
			for range 10 {
				l.Yield()
			}
			if n := l.Stats().Turns - turns; n < 9 {
				t.Errorf("%d turns in 10 Yields", n)
			}
		})
	})
}

// taskOnly are the methods that only a task of the loop may call. Each reports
// what the caller got: a panic's value.
func taskOnly(l *ringo.Loop, timer *ringo.Timer, ticker *ringo.Ticker, group *ringo.Group) map[string]func() any {
	fn := func(context.Context) error { return nil }
	return map[string]func() any{
		"Loop.Sleep":       func() any { return panics(func() { l.Sleep(0) }) },
		"Loop.Offload":     func() any { return panics(func() { l.Offload(fn) }) },
		"Loop.Compute":     func() any { return panics(func() { l.Compute(fn) }) },
		"Loop.WithTimeout": func() any { return panics(func() { l.WithTimeout(0, func() error { return nil }) }) },
		"Loop.WithContext": func() any {
			return panics(func() { l.WithContext(context.TODO(), func() error { return nil }) })
		},
		"Loop.Yield":     func() any { return panics(l.Yield) },
		"Loop.NewTicker": func() any { return panics(func() { l.NewTicker(time.Hour).Stop() }) },
		"Ticker.Stop":    func() any { return panics(ticker.Stop) },
		"Ticker.Reset":   func() any { return panics(func() { ticker.Reset(time.Hour) }) },
		"Loop.Context":   func() any { return panics(func() { l.Context() }) },
		"Loop.Now":       func() any { return panics(func() { l.Now() }) },
		"Loop.AfterFunc": func() any { return panics(func() { l.AfterFunc(0, func() {}) }) },
		"Timer.Stop":     func() any { return panics(func() { timer.Stop() }) },
		"Timer.Reset":    func() any { return panics(func() { timer.Reset(0) }) },
		"Group.Go":       func() any { return panics(func() { group.Go(func() error { return nil }) }) },
		"Group.TryGo":    func() any { return panics(func() { group.TryGo(func() error { return nil }) }) },
		"Group.SetLimit": func() any { return panics(func() { ringo.NewGroup(l).SetLimit(-1) }) },
		"Group.Wait":     func() any { return panics(func() { group.Wait() }) },
	}
}

// A caller from outside is told, by a panic whichever method it calls, and nothing is touched
// that the loop uses at the same time: under -race this test says so.
func TestWrongCallers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			over := false
			busy := l.Go(func() { // the loop's own calls, all the while
				for !over {
					timer, ticker := l.AfterFunc(time.Hour, func() {}), l.NewTicker(time.Hour)
					for name, f := range taskOnly(l, timer, ticker, ringo.NewGroup(l)) {
						if err := f(); err != nil {
							t.Errorf("%s in a task of the loop: %v", name, err)
						}
					}
				}
			})
			timer := l.AfterFunc(time.Hour, func() { t.Error("the timer fired") })
			ticker, group := l.NewTicker(time.Hour), ringo.NewGroup(l)
			check := func(where string) {
				for name, f := range taskOnly(l, timer, ticker, group) {
					equal(t, name+" from "+where, f(), any("ringo: "+name+" from outside the loop's tasks"))
				}
			}
			for range 20 {
				l.Offload(func(context.Context) error { check("Offload"); return nil })
				l.Loops()[1].Go(func() { check("another loop") }).Wait()
				l.Loops()[1].Go(func() { iterator(func() { check("an iterator on another loop") }) }).Wait()
			}
			over = true
			busy.Wait()
			timer.Stop()
			ticker.Stop()
		})
	})
}

// A function that isn't there is refused where it is forgotten, by name.
func TestNilFunctions(t *testing.T) {
	refused := func(name string, got any) {
		t.Helper()
		if err, ok := got.(error); ok {
			got = err.Error()
		}
		equal(t, name, got, any("ringo: "+name+" of a nil function"))
	}
	refused("Run", ringo.Run(t.Context(), nil, nil))
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			before := l.Stats().Tasks
			refused("Loop.Go", panics(func() { l.Go(nil) }))
			refused("Loop.Post", panics(func() { l.Post(nil) }))
			refused("Loop.AfterFunc", panics(func() { l.AfterFunc(0, nil) }))
			refused("Loop.Offload", panics(func() { l.Offload(nil) }))
			refused("Loop.Compute", panics(func() { l.Compute(nil) }))
			refused("Loop.WithTimeout", panics(func() { l.WithTimeout(0, nil) }))
			refused("Loop.WithContext", panics(func() { l.WithContext(t.Context(), nil) }))
			refused("Loop.Call", panics(func() { l.Call(nil) }))
			refused("WaitGroup.Go", panics(func() { new(ringo.WaitGroup).Go(nil) }))
			refused("Group.TryGo", panics(func() { ringo.NewGroup(l).TryGo(nil) }))
			refused("Group.Go", panics(func() { ringo.NewGroup(l).Go(nil) }))
			l.Sleep(0)
			equal(t, "tasks", l.Stats().Tasks, before)
		})
	})
}

// Run from a task would stop the task's loop: it is refused, also in an iterator,
// and the way out that the error names is one.
func TestRunInATask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		inner := cfg
		inner.Loops = 1
		nested := func() error { return ringo.Run(t.Context(), &inner, func(*ringo.Loop) error { return nil }) }
		beside(t, cfg, func(l *ringo.Loop) {
			for where, run := range map[string]func() (err error){
				"a task":       nested,
				"an iterator":  func() (err error) { iterator(func() { err = nested() }); return },
				"another loop": func() (err error) { l.Loops()[1].Go(func() { err = nested() }).Wait(); return },
			} {
				if err := run(); err == nil || !strings.Contains(err.Error(), "ringo: Run from inside a task") {
					t.Errorf("Run from %s: %v, want a refusal", where, err)
				}
			}
			if err := l.Offload(func(context.Context) error { return nested() }); err != nil {
				t.Errorf("Run in Offload: %v", err)
			}
		})
	})
}

// Everything else is for all.
func TestAnyCaller(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			task := l.Go(func() { l.Sleep(time.Hour) })
			l.Sleep(0)
			check := func() {
				if l.Index() != 0 || len(l.Loops()) != 2 || l.Loops()[0] != l || l.Info().Name == "" {
					t.Error("Index, Loops or Info")
				}
				if s := l.Stats(); s.Turns == 0 || s.Tasks < 2 {
					t.Errorf("Stats: %+v", s)
				}
				if l.Post(func() {}) != nil || l.Go(func() {}).Wait() != nil ||
					l.Call(func() error { return nil }) != nil {
					t.Error("Post, Go, Wait or Call")
				}
			}
			check()
			l.Offload(func(context.Context) error { check(); return nil })
			l.Loops()[1].Go(check).Wait()
			task.Cancel()
		})
	})
}

// lanes are the two ways out of a loop, with the bound that each has.
var lanes = []struct {
	name  string
	call  func(l *ringo.Loop, fn func(context.Context) error) error
	bound func(cfg *ringo.Config) int // sets it, if it can be set
}{
	{"Offload", (*ringo.Loop).Offload, func(cfg *ringo.Config) int { cfg.Offload = 3; return 3 }},
	{"Compute", (*ringo.Loop).Compute, func(cfg *ringo.Config) int { return max(1, runtime.GOMAXPROCS(0)-cfg.Loops) }},
}

func eachLane(t *testing.T,
	f func(t *testing.T, cfg ringo.Config, bound int, call func(*ringo.Loop, func(context.Context) error) error)) {
	for _, lane := range lanes {
		t.Run(lane.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Loops = 2
				f(t, cfg, lane.bound(&cfg), lane.call)
			})
		})
	}
}

// What fn writes is the task's when the call returns; only the task waits.
func TestOffload(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		err := run(t, cfg, func(l *ringo.Loop) error {
			turns := 0
			ticker := l.Go(func() {
				for l.Sleep(100*time.Microsecond) == nil {
					turns++
				}
			})
			defer ticker.Cancel()
			for i := range 50 {
				written := 0
				err := call(l, func(ctx context.Context) error {
					if ctx.Err() != nil || panics(func() { l.Sleep(0) }) == nil {
						t.Error("fn runs cancelled, or on the loop")
					}
					written = i
					return io.EOF
				})
				if err != io.EOF || written != i {
					t.Errorf("%v, %d written", err, written)
				}
			}
			before := turns
			call(l, func(context.Context) error {
				<-time.After(20 * time.Millisecond)
				return nil
			})
			if turns == before {
				t.Error("the loop stood still meanwhile")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// So many run at once, in all loops together, and no more; the others queue, in
// order.
func TestOffloadBound(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		var running, most, done atomic.Int64
		full := make(chan struct{})
		var once sync.Once
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 4 * bound {
				l.Go(func() {
					err := call(l, func(context.Context) error {
						n := running.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
						if n == int64(bound) {
							once.Do(func() { close(full) })
						}
						receive(t, "as many calls as may run at once", full)
						<-time.After(time.Millisecond) // room for one too many
						running.Add(-1)
						done.Add(1)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
		equal(t, "calls at once", int(most.Load()), bound)
		equal(t, "calls", int(done.Load()), cfg.Loops*4*bound)
	})
}

// Cancelled while queued, fn is not run.
func TestOffloadCancelledInQueue(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			var running atomic.Int64
			release := make(chan struct{})
			for range bound {
				l.Go(func() {
					call(l, func(context.Context) error { running.Add(1); <-release; return nil })
				})
			}
			sleepUntil(t, l, "a full lane", func() bool { return running.Load() == int64(bound) })
			var got []error
			queued := make([]*ringo.Task, 5)
			for i := range queued {
				queued[i] = l.Go(func() {
					got = append(got, call(l, func(context.Context) error {
						t.Error("a cancelled call ran")
						return nil
					}))
				})
			}
			l.Sleep(0)
			for _, i := range []int{2, 0, 4, 1, 3} { // from the middle, the front, the back
				queued[i].Cancel()
			}
			for _, task := range queued {
				task.Wait()
			}
			canceled := context.Canceled
			equalList(t, "errors", got, []error{canceled, canceled, canceled, canceled, canceled})
			close(release)
			if err := call(l, func(context.Context) error { return nil }); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

// Cancelled while running, fn is told by its context, and the call returns when
// fn has, not before: it may still write to what the task owns.
func TestOffloadCancelledWhileRunning(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			for _, give := range []error{nil, io.EOF, context.Canceled} {
				begun := make(chan struct{})
				var written bool
				var got error
				task := l.Go(func() {
					got = call(l, func(ctx context.Context) error {
						close(begun)
						receive(t, "the context's end", ctx.Done())
						runtime.Gosched()
						written = true
						return give
					})
					if !written {
						t.Error("the call returned before fn")
					}
				})
				await(t, l, "fn", begun)
				task.Cancel()
				task.Wait()
				if !errors.Is(got, give) {
					t.Errorf("%v, want what fn returned: %v", got, give)
				}
			}
		})
	})
}

// A call that ends by Goexit is told of, and does not take its place in the lane along.
func TestOffloadGoexitGivesItsPlaceBack(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			for range 3 * bound {
				cleaned := false
				if err := call(l, func(context.Context) error {
					defer func() { cleaned = true }()
					runtime.Goexit()
					return nil
				}); err != ringo.ErrGoexit || !cleaned {
					t.Errorf("%v, cleaned: %v; want ErrGoexit, and the task goes on", err, cleaned)
				}
			}
			if err := call(l, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	})
}

// Calls that wait for a slot are counted, and a time limit that ends one says that it was for a slot that it waited.
func TestFullOffload(t *testing.T) {
	const slots, more = 3, 5
	cfg := anyDriver(t)
	cfg.Offload = slots
	release := make(chan bool)
	var begun atomic.Int32
	if err := run(t, cfg, func(l *ringo.Loop) error {
		var tasks []*ringo.Task
		for range slots + more {
			tasks = append(tasks, l.Go(func() {
				l.Offload(func(context.Context) error { begun.Add(1); <-release; return nil })
			}))
		}
		for begun.Load() < slots {
			l.Sleep(0)
		}
		load := func() stats.Lane { return laneOf(t, l.Stats(), "offload") }
		if got := load(); got.Max != slots || got.Running != slots || got.Waiting != more || got.Waited != 0 {
			t.Errorf("%+v, want %d that run and %d that wait", got, slots, more)
		}
		err := l.WithTimeout(time.Millisecond, func() error {
			return l.Offload(func(context.Context) error { t.Error("what got no slot in time ran"); return nil })
		})
		var timeout interface{ Timeout() bool }
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() ||
			!strings.Contains(err.Error(), "no slot came free in time for one of the calls of Loop.Offload") ||
			!strings.Contains(err.Error(), "3 × ringo_test.TestFullOffload") {
			t.Errorf("a call that got no slot in time: %v", err)
		}
		// Names and files have slots of their own.
		if err := l.Compute(func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		for load().Oldest < 10*time.Millisecond {
			l.Sleep(time.Millisecond)
		}
		close(release)
		for _, task := range tasks {
			task.Wait()
		}
		got := load()
		if got.Waiting != 0 || got.Waited != more || got.Longest < 10*time.Millisecond || got.Oldest != 0 {
			t.Errorf("in the end %+v, want %d that waited", got, more)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func laneOf(t *testing.T, s stats.Loop, name string) stats.Lane {
	for _, lane := range s.Lanes {
		if lane.Name == name {
			return lane
		}
	}
	t.Fatalf("Stats have no lane %q: %+v", name, s.Lanes)
	return stats.Lane{}
}
