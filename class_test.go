package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/stats"
)

// inClass starts a task of a class that calls fn again and again, and yields when it should, until stop.
func inClass(l *ringo.Loop, c *ringo.Class, stop *bool, fn func()) *ringo.Task {
	return l.Go(func() {
		l.WithClass(c, func() error {
			for !*stop {
				fn()
				if l.NeedYield() {
					l.Yield()
				}
			}
			return nil
		})
	})
}

// classes are those that have tasks on the loop.
func classes(l *ringo.Loop) (all []stats.Class) {
	all = l.Stats().Classes
	slices.SortFunc(all, func(a, b stats.Class) int { return b.Weight - a.Weight })
	return all
}

// Classes have the CPU time that their weights say, however many tasks they have.
func TestClassShares(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			heavy, light := ringo.NewClass("heavy", 1000), ringo.NewClass("light", 1000)
			light.SetWeight(250)
			stop, sum := false, 0
			compute := func() {
				for i := range 1000 {
					sum += i
				}
			}
			tasks := []*ringo.Task{inClass(l, heavy, &stop, compute)}
			for range 5 {
				tasks = append(tasks, inClass(l, light, &stop, compute))
			}
			var got []stats.Class
			if !sleepUntil(t, l, "four times as much for a class of 1000 as for one of 250", func() bool {
				if got = classes(l); len(got) < 2 || got[0].CPU < 100*time.Millisecond {
					return false
				}
				// A process that has had no processor for a while makes it up.
				ratio := float64(got[0].CPU) / float64(got[1].CPU)
				return 3 < ratio && ratio < 5
			}) {
				t.Errorf("classes have had %v", got)
				stop = true
				return
			}
			if got[0].Name != "heavy" || got[0].Tasks != 1 || got[1].Name != "light" || got[1].Tasks != 5 {
				t.Errorf("the classes are %v", got)
			}
			stop = true
			for _, task := range tasks {
				task.Wait()
			}
			if got := classes(l); len(got) > 0 {
				t.Errorf("%v when no task is left", got)
			}
		})
	})
}

// A class whose task does nothing but yield leaves a turn to those in none, though they have had more than their part:
// what the kernel does between its turns counts as the class's.
func TestClassThatOnlyYields(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ran, yields, sum := false, 0, 0
			task := l.Go(func() {
				l.WithClass(ringo.NewClass("yields", 100), func() error {
					for ; !ran && yields < 5_000_000; yields++ {
						l.Yield()
					}
					return nil
				})
			})
			for yields == 0 {
				l.Yield()
			}
			for i := range 10_000_000 { // some milliseconds
				sum += i
			}
			l.Post(func() { ran = true })
			task.Wait()
			if !ran {
				t.Errorf("after %d yields of a class a task in none has not begun (%d)", yields, sum)
			}
		})
	})
}

// What a task of a class starts is of that class, and what it has started stays there; a block of no class is of none.
func TestClassInherits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			c, other := ringo.NewClass("c", 100), ringo.NewClass("other", 7)
			of := func(l *ringo.Loop) (names string) {
				for _, c := range classes(l) {
					names += fmt.Sprintf("%s:%d ", c.Name, c.Tasks)
				}
				return names
			}
			is := func(where, want string) {
				if got := of(l); got != want {
					t.Errorf("%s: the classes are %q, want %q", where, got, want)
				}
			}
			ways := map[string]func(fn func()){
				"Go":        func(fn func()) { l.Go(fn).Wait() },
				"GoNamed":   func(fn func()) { l.GoNamed("its", fn).Wait() },
				"Post":      func(fn func()) { ended(l, fn, func(fn func()) { l.Post(fn) }) },
				"AfterFunc": func(fn func()) { ended(l, fn, func(fn func()) { l.AfterFunc(0, fn) }) },
				"Call":      func(fn func()) { l.Call(func() error { fn(); return nil }) },
				"by way of another loop": func(fn func()) {
					for _, o := range l.Loops() {
						if o != l {
							o.Call(func() error {
								if got := of(o); got != "c:1 " {
									t.Errorf("on the other loop the classes are %q", got)
								}
								l.Go(fn).Wait()
								return nil
							})
						}
					}
				},
			}
			err := l.WithClass(c, func() error {
				for name, start := range ways {
					start(func() { is(name, "c:2 ") })
					is("behind "+name, "c:1 ")
				}
				l.WithClass(c, func() error { is("the same again", "c:1 "); return nil })
				l.WithClass(other, func() error { is("another", "other:1 "); return nil })
				is("behind another", "c:1 ")
				return l.WithClass(nil, func() error {
					l.Go(func() { is("none", "") }).Wait()
					return errors.New("fn's")
				})
			})
			if err == nil || err.Error() != "fn's" {
				t.Errorf("WithClass: %v", err)
			}
			is("at the end", "")
		})
	})
}

// ended has fn run as a task, and waits for its end.
func ended(l *ringo.Loop, fn func(), start func(func())) {
	ran := false
	start(func() { fn(); ran = true })
	for !ran {
		l.Yield()
	}
}

// However a task of a class ends, or is ended, the class goes with the last one.
func TestClassEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		c := ringo.NewClass("c", 1)
		mustRun(t, cfg, func(l *ringo.Loop) {
			for name, end := range map[string]func(){
				"panic":           func() { panic("its own") },
				"Goexit":          func() { runtime.Goexit() },
				"Goexit in a job": func() { l.Post(runtime.Goexit) },
				"recovered panic": func() {
					defer func() { recover() }()
					l.WithClass(ringo.NewClass("inner", 1), func() error { panic("for the test") })
				},
			} {
				l.Go(func() { l.WithClass(c, func() error { end(); return nil }) }).Wait()
				for len(classes(l)) > 0 {
					if l.Yield(); l.Stats().Tasks == 1 { // Stats may have been before the job's end
						break
					}
				}
				if got := classes(l); len(got) > 0 {
					t.Errorf("%s: %v are left", name, got)
				}
			}
			task := l.Go(func() {
				err := l.WithClass(c, func() error { return l.Sleep(time.Hour) })
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Sleep in a class, cancelled: %v", err)
				}
				err = l.WithClass(c, func() error { return l.Sleep(0) }) // it waits for its turn all the same
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the next one: %v", err)
				}
			})
			l.Yield()
			task.Cancel()
			task.Wait()
		})
		// The Run ends while tasks of a class are ready all the time.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg.Grace = -1
		err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			for range 10 {
				l.Go(func() {
					l.WithClass(c, func() error {
						for l.Context().Err() == nil {
							l.Yield()
						}
						return nil
					})
				})
			}
			l.Yield()
			cancel()
			return nil
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// A block of an iterator's is its task's that began it, wherever that is when the block ends.
func TestClassInIterators(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			small, other := ringo.NewClass("small", 1), ringo.NewClass("other", 100)
			inBlock := func(c *ringo.Class) (next func() (bool, bool), stop func()) {
				return iter.Pull(func(yield func(bool) bool) {
					l.WithClass(c, func() error { yield(true); return nil })
				})
			}
			is := func(where string, want ...*ringo.Class) {
				if got := classes(l); len(got) != len(want) {
					t.Errorf("%s: the classes are %v, want %d", where, got, len(want))
				}
			}
			// Another task ends the block while the one that began it waits for its turn.
			next, stop := inBlock(small)
			defer stop()
			spent := false
			task := l.Go(func() {
				next()
				for !spent { // so that those in none have the next turn
					l.Yield()
					spent = classes(l)[0].CPU > time.Millisecond
				}
				l.Yield()
			})
			for l.Yield(); !spent; {
				l.Yield()
			}
			l.Yield()
			next()
			is("ended by another task")
			task.Wait()

			// The block around it ends first.
			l.Go(func() {
				var next func() (bool, bool)
				var stop func()
				l.WithClass(small, func() error {
					next, stop = inBlock(other)
					next()
					return nil
				})
				is("the outer one has ended", other)
				stop()
				is("both have ended")
			}).Wait()
			// A task ends in it.
			l.Go(func() {
				l.WithClass(small, func() error {
					next, stop = inBlock(other)
					next()
					return nil
				})
			}).Wait()
			is("the task has ended")
			stop()
			is("so has its block")
		})
	})
}

// A task that computes hears soon of what has come, long before its time is over.
func TestNeedYield(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			computes := func() (calls int) {
				for calls = 1; !l.NeedYield(); calls++ {
				}
				return calls
			}
			computes() // the time is over, and so it is for the next that asks in this turn
			if n := computes(); n != 1 {
				t.Errorf("%d calls until the next says that the task is to yield", n)
			}
			var c ringo.Chan[bool]
			receives := false
			receive := func(class *ringo.Class) {
				l.Go(func() { l.WithClass(class, func() error { receives = true; c.Recv(); return nil }) })
			}
			here, other := ringo.NewClass("here", 1), ringo.NewClass("other", 1)
			for what, f := range map[string]struct {
				before, happens func()
				in              *ringo.Class
			}{
				"message": {happens: func() {
					sent := make(chan bool)
					go func() { l.Post(func() {}); close(sent) }()
					<-sent
				}},
				"timer":              {happens: func() { l.AfterFunc(0, func() {}) }},
				"class":              {func() { receive(other) }, func() { c.Send(true) }, nil},
				"another class":      {func() { receive(other) }, func() { c.Send(true) }, here},
				"a task of no class": {func() { receive(nil) }, func() { c.Send(true) }, here},
			} {
				if receives = f.before == nil; !receives {
					f.before()
				}
				l.WithClass(f.in, func() error {
					for l.Yield(); !receives; {
						l.Yield()
					}
					f.happens()
					// The clock is looked at each 32 calls at least. By its time alone it would be some 10,000.
					if n := computes(); n > 100 {
						t.Errorf("%s: noticed after %d calls", what, n)
					}
					return nil
				})
			}
		})
	})
}

func TestClassRefuses(t *testing.T) {
	const wantIO = ": want no negative number, and a Priority that is 0, IOIdle, or from IOHighest to IOLowest"
	for _, c := range []struct {
		what string
		call func(l *ringo.Loop)
	}{
		{"ringo: NewClass: weight 0: want 1 to 10000", func(*ringo.Loop) { ringo.NewClass("", 0) }},
		{"ringo: NewClass: weight 10001: want 1 to 10000", func(*ringo.Loop) { ringo.NewClass("", 10001) }},
		{"ringo: Class.SetWeight: weight -1: want 1 to 10000", func(*ringo.Loop) {
			ringo.NewClass("", 1).SetWeight(-1)
		}},
		{"ringo: Class.SetWeight of a nil Class", func(*ringo.Loop) { (*ringo.Class)(nil).SetWeight(1) }},
		{"ringo: Class.SetIO of a nil Class", func(*ringo.Loop) { (*ringo.Class)(nil).SetIO(ringo.IOLimits{}) }},
		{"ringo: Class.SetIO: {Depth:-1 Rate:0 Priority:0}" + wantIO, func(*ringo.Loop) {
			new(ringo.Class).SetIO(ringo.IOLimits{Depth: -1})
		}},
		{"ringo: Class.SetIO: {Depth:0 Rate:-1 Priority:0}" + wantIO, func(*ringo.Loop) {
			new(ringo.Class).SetIO(ringo.IOLimits{Rate: -1})
		}},
		{"ringo: Class.SetIO: {Depth:0 Rate:0 Priority:8192}" + wantIO, func(*ringo.Loop) {
			new(ringo.Class).SetIO(ringo.IOLimits{Priority: 1 << 13}) // real-time, which needs a privilege
		}},
	} {
		mustRun(t, anyDriver(t), func(l *ringo.Loop) {
			defer func() {
				if v := recover(); v != c.what {
					t.Errorf("panic %v, want %q", v, c.what)
				}
			}()
			c.call(l)
		})
	}
}
