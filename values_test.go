package ringo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/rt/labels"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

type valueKey string

// spanned is a context that can't be done and has a value, as that of a span which began with context.Background.
func spanned(value any) context.Context {
	return context.WithValue(context.Background(), valueKey("span"), value)
}

func spanOf(l *ringo.Loop) any { return l.Context().Value(valueKey("span")) }

// watching is a context that starts a task, under its lock, when it is first asked for its end: as that of a request,
// whose peer is watched from then on.
type watching struct {
	context.Context
	l     *ringo.Loop
	mu    sync.Mutex
	done  chan struct{}
	again bool // it was asked by what it has asked for
	saw   any  // by the task: the value of the block, and that of the one around it
}

func (w *watching) Done() <-chan struct{} {
	if !w.mu.TryLock() {
		w.again = true
		return nil
	}
	defer w.mu.Unlock()
	if w.done == nil {
		w.done = make(chan struct{})
		w.l.Go(func() { w.saw = [2]any{spanOf(w.l), w.l.Context().Value(valueKey("outer"))} })
	}
	return w.done
}

// A context that starts a task when it is asked for its end is not asked for that once more, by what the task inherits.
func TestWithContextThatStartsATask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		run(t, cfg, func(l *ringo.Loop) error {
			return l.WithContext(context.WithValue(context.Background(), valueKey("outer"), 1), func() error {
				w := &watching{Context: spanned("inner"), l: l}
				equal(t, "WithContext", l.WithContext(w, func() error { return l.Sleep(0) }), nil)
				equal(t, "asked again", w.again, false)
				equal(t, "the task's values", w.saw, any([2]any{"inner", 1}))
				return nil
			})
		})
	})
}

// The values of a context that can't be done are there, too, and those of the inner block come first.
func TestWithContextThatCantBeDone(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		run := context.WithValue(t.Context(), valueKey("run"), 1)
		err := runContext(t, run, cfg, func(l *ringo.Loop) error {
			in := func(what string, ctx context.Context, want any) func() error {
				return func() error {
					return l.WithContext(ctx, func() error {
						equal(t, what, spanOf(l), want)
						equal(t, what+", Run's", l.Context().Value(valueKey("run")), any(1))
						equal(t, what+", in Offload", l.Offload(func(ctx context.Context) error {
							equal(t, what, ctx.Value(valueKey("span")), want)
							return ctx.Err()
						}), nil)
						return l.Sleep(0)
					})
				}
			}
			outer := spanned("outer")
			own := l.Context()
			equal(t, "a span", in("a span", outer, "outer")(), nil)
			equal(t, "behind it", spanOf(l), nil)
			l.WithContext(outer, func() error {
				equal(t, "an inner one", in("an inner one", spanned("inner"), "inner")(), nil)
				equal(t, "Background", in("Background", context.Background(), "outer")(), nil)
				equal(t, "TODO", in("TODO", context.TODO(), "outer")(), nil)
				equal(t, "the same again", in("the same again", outer, "outer")(), nil)
				equal(t, "nothing", in("nothing", nil, "outer")(), nil)
				l.WithContext(spanned("inner"), func() error {
					equal(t, "the outer one in an inner", in("the outer one in an inner", outer, "outer")(), nil)
					equal(t, "the task's own", in("the task's own", own, "inner")(), nil)
					return nil
				})
				return l.WithTimeout(time.Hour, in("in a WithTimeout", outer, "outer"))
			})
			wantTimeout(t, "in a WithTimeout that is over", l.WithTimeout(time.Millisecond, func() error {
				return l.WithContext(outer, func() error { return l.Sleep(time.Hour) })
			}))
			var task *ringo.Task
			task = l.Go(func() {
				l.WithContext(outer, func() error {
					task.Cancel()
					equal(t, "a cancelled task's Sleep", l.Sleep(time.Hour), context.Canceled)
					for c := l.Context(); c.Err() == nil; { // soon: another goroutine tells it
						l.Yield()
					}
					return nil
				})
			})
			return task.Wait()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// What starts with a task has the values of who started it, where it has its labels, and not its end.
func TestValuesAreInherited(t *testing.T) {
	later := func(l *ringo.Loop, start func(f func())) func(f func()) {
		return func(f func()) {
			done := ringo.NewChan[struct{}](1)
			start(func() { f(); done.Send(struct{}{}) })
			done.Recv()
		}
	}
	starts := map[string]func(l *ringo.Loop, f func()){
		"Go":      func(l *ringo.Loop, f func()) { l.Go(f).Wait() },
		"GoNamed": func(l *ringo.Loop, f func()) { l.GoNamed("named", f).Wait() },
		"Post":    func(l *ringo.Loop, f func()) { later(l, func(f func()) { l.Post(f) })(f) },
		"AfterFunc": func(l *ringo.Loop, f func()) {
			later(l, func(f func()) { l.AfterFunc(time.Microsecond, f) })(f)
		},
		"Group.Go": func(l *ringo.Loop, f func()) {
			g := ringo.NewGroup(l)
			g.Go(func() error { f(); return nil })
			g.Wait()
		},
		"a Group with a context": func(l *ringo.Loop, f func()) {
			g, _ := ringo.GroupWithContext(context.Background(), l)
			g.Go(func() error { f(); return nil })
			g.Wait()
		},
		"Call": func(l *ringo.Loop, f func()) { l.Call(func() error { f(); return nil }) },
		"a task's task": func(l *ringo.Loop, f func()) {
			l.Go(func() { l.Go(f).Wait() }).Wait()
		},
		"an iterator": func(l *ringo.Loop, f func()) {
			next, stop := iter.Pull(func(yield func(int) bool) { l.Go(f).Wait() })
			defer stop()
			next()
		},
		"a loop's task in a WithTimeout": func(l *ringo.Loop, f func()) {
			l.WithTimeout(time.Hour, func() error { return l.Go(f).Wait() })
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			for _, to := range l.Loops() {
				for name, start := range starts {
					if to != l && (name == "AfterFunc" || name == "Group.Go" || name == "a Group with a context") {
						continue // those are of the caller's loop
					}
					for range 2 { // in the same coroutines
						var got, plain any
						ctx, cancel := context.WithCancel(spanned("mine"))
						l.WithContext(ctx, func() error {
							switch name {
							case "a task's task", "an iterator", "a loop's task in a WithTimeout":
								start(l, func() { got = spanOf(l) })
							default:
								start(to, func() { got = spanOf(to) })
							}
							return nil
						})
						cancel()
						what := fmt.Sprint(name, ", loop ", to.Index(), ": the value of who started it")
						equal(t, what, got, any("mine"))
						start(l, func() { plain = spanOf(l) })
						equal(t, name+": the value of somebody else", plain, nil)
					}
				}
			}
			ctx, cancel := context.WithCancel(spanned("mine"))
			var task *ringo.Task
			slept := ringo.NewChan[error](1)
			l.WithContext(ctx, func() error {
				task = l.Go(func() {
					err := l.Sleep(time.Microsecond)
					equal(t, "the context of who outlives its starter's", l.Context().Err(), nil)
					equal(t, "its value", spanOf(l), any("mine"))
					slept.Send(err)
				})
				return nil
			})
			cancel()
			task.Wait()
			err, _ := slept.Recv()
			equal(t, "the Sleep of who outlives its starter's context", err, nil)
		})
	})
}

// What a drain starts has them as well.
func TestValuesOfOnDrain(t *testing.T) {
	cfg := anyDriver(t)
	ctx, drain := context.WithCancel(t.Context())
	defer drain()
	var got any
	err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
		done := ringo.NewChan[struct{}](1)
		l.WithContext(spanned("mine"), func() error {
			l.OnDrain(func() { got = spanOf(l); done.Send(struct{}{}) })
			return nil
		})
		drain()
		done.Recv()
		return nil
	})
	equal(t, "Run", err, nil)
	equal(t, "value", got, any("mine"))
}

// counting is a context that counts how often it was asked.
type counting struct {
	context.Context
	asked *int
}

func (c counting) Value(key any) any {
	if key == valueKey("none") {
		*c.asked++
	}
	return c.Context.Value(key)
}

// Who derives from Loop.Context again and again, or has tasks start tasks that do, asks each context once for what is
// nowhere.
func TestValuesAreAskedOnce(t *testing.T) {
	const deep = 30
	asked := 0
	err := runContext(t, counting{t.Context(), &asked}, anyDriver(t), func(l *ringo.Loop) error {
		var nest, start func(n int)
		look := func(what string) {
			asked = 0
			if v := l.Context().Value(valueKey("none")); v != nil || asked > deep {
				t.Errorf("%s: the context at the bottom was asked %d times, %v", what, asked, v)
			}
		}
		nest = func(n int) {
			if n == 0 {
				look("blocks in blocks")
				return
			}
			l.WithContext(context.WithValue(l.Context(), valueKey("n"), n), func() error { nest(n - 1); return nil })
		}
		start = func(n int) {
			if n == 0 {
				look("tasks of tasks")
				return
			}
			l.WithContext(context.WithValue(l.Context(), valueKey("n"), n), func() error {
				return l.Go(func() { start(n - 1) }).Wait()
			})
		}
		nest(deep)
		start(deep)
		return nil
	})
	equal(t, "Run", err, nil)
}

// incomparable is a context that Go can't compare.
type incomparable struct {
	context.Context
	_ []func()
}

// A context need not be comparable.
func TestWithContextIncomparable(t *testing.T) {
	cfg := anyDriver(t)
	mustRun(t, cfg, func(l *ringo.Loop) {
		ctx := incomparable{Context: cancelable(t)}
		equal(t, "WithContext", l.WithContext(ctx, func() error {
			return l.WithContext(ctx, func() error {
				m := new(ringo.Mutex)
				return m.LockContext(ctx)
			})
		}), nil)
	})
}

// Labels of a context that can't be done reach tasks with its values.
func TestValuesAndLabels(t *testing.T) {
	cfg := anyDriver(t)
	mustRun(t, cfg, func(l *ringo.Loop) {
		ctx := pprof.WithLabels(spanned("mine"), pprof.Labels("who", "me"))
		l.WithContext(ctx, func() error {
			return l.Go(func() {
				who, ok := pprof.Label(l.Context(), "who")
				equal(t, "label", who, "me")
				equal(t, "there is one", ok, true)
			}).Wait()
		})
	})
}

// myLabels gives the labels that a profile shows of the caller, "" for none. One calls it at a time: the profile is
// searched for its name.
//
//go:noinline
func myLabels() string { return labelsOf("ringo_test.myLabels") }

// labelsOf gives the labels that a profile shows of goroutines that are in a function, of which there is one at least.
func labelsOf(function string) string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	var found []string
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(record, function) {
			continue
		}
		for line := range strings.SplitSeq(record, "\n") {
			if set, ok := strings.CutPrefix(line, "# labels: "); ok {
				found = append(found, set)
			}
		}
	}
	if !strings.Contains(profile.String(), function) {
		panic("no stack has " + function)
	}
	return strings.Join(found, " ")
}

// labelled calls f with a label, as a program does.
func labelled(value string, f func()) {
	pprof.Do(context.Background(), pprof.Labels("who", value), func(context.Context) { f() })
}

func setLabel(value string) {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("who", value)))
}

// Labels that a task has set end with it, however it ends, and are not the next one's in the same coroutine.
func TestLabelsEndWithTheirTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {
			if got := myLabels(); got != "" {
				t.Errorf("OnPanic has labels %s", got)
			}
		}
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			ends := map[string]func(){
				"returns":        func() {},
				"panics":         func() { panic("on purpose") },
				"exits":          runtime.Goexit,
				"parks":          func() { l.Sleep(time.Millisecond) },
				"ends in a call": func() { l.Offload(func(context.Context) error { return nil }) },
			}
			for name, end := range ends {
				for range 3 {
					l.Go(func() {
						setLabel("the last")
						end()
					}).Wait()
					if got := labelsOf("ringo/internal/loop.newWorker"); strings.Contains(got, "the last") {
						t.Errorf("after a task that %s an idle coroutine has labels %s", name, got)
					}
					if got := inTask(l, func() string { return myLabels() }); got != "" {
						t.Errorf("a task after one that %s has labels %s", name, got)
					}
					if got := inJob(l, func() string { return myLabels() }); got != "" {
						t.Errorf("a function of Post after a task that %s has labels %s", name, got)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func inTask(l *ringo.Loop, f func() string) (got string) {
	l.Go(func() { got = f() }).Wait()
	return got
}

func inJob(l *ringo.Loop, f func() string) (got string) {
	c := ringo.NewChan[string](1)
	l.Post(func() { c.Send(f()) })
	got, _ = c.Recv()
	return got
}

// What starts with a task has the labels of who started it, as a goroutine has.
func TestLabelsAreInherited(t *testing.T) {
	if !labels.Readable() {
		t.Skip("labels can't be read on " + runtime.GOARCH)
	}
	const mine = `{"who":"me"}`
	starts := map[string]func(l *ringo.Loop, f func() string) string{
		"Go":   inTask,
		"Post": inJob,
		"AfterFunc": func(l *ringo.Loop, f func() string) string {
			c := ringo.NewChan[string](1)
			l.Go(func() { l.AfterFunc(time.Millisecond, func() { c.Send(f()) }) }).Wait()
			got, _ := c.Recv()
			return got
		},
		"Group.Go": func(l *ringo.Loop, f func() string) (got string) {
			l.Go(func() {
				g := ringo.NewGroup(l)
				g.Go(func() error { got = f(); return nil })
				g.Wait()
			}).Wait()
			return got
		},
		"Offload": func(l *ringo.Loop, f func() string) (got string) {
			l.Go(func() { l.Offload(func(context.Context) error { got = f(); return nil }) }).Wait()
			return got
		},
		"Compute": func(l *ringo.Loop, f func() string) (got string) {
			l.Go(func() { l.Compute(func(context.Context) error { got = f(); return nil }) }).Wait()
			return got
		},
		"an iterator": func(l *ringo.Loop, f func() string) string {
			return inTask(l, func() string {
				next, stop := iter.Pull(func(yield func(string) bool) { yield(inTask(l, f)) })
				defer stop()
				got, _ := next()
				return got
			})
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var l *ringo.Loop
		// check starts f in each way with labels and without, by turns: all use the same coroutines.
		check := func(from string, with func(func())) {
			for name, start := range starts {
				for range 2 {
					var got, plain string
					with(func() { got = start(l, myLabels) })
					if got != mine {
						t.Errorf("%s, from %s: labels %q, want those of who started it", name, from, got)
					}
					if plain = start(l, myLabels); plain != "" {
						t.Errorf("%s, from %s: labels %q of somebody else", name, from, plain)
					}
				}
			}
		}
		with := func(f func()) { labelled("me", f) }
		err := ringo.Run(context.Background(), &cfg, func(loop *ringo.Loop) error {
			l = loop
			check("a task", with)
			return l.Offload(func(context.Context) error { check("a goroutine", with); return nil })
		})
		if err != nil {
			t.Error(err)
		}
		with(func() {
			err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				if got := myLabels(); got != mine {
					t.Errorf("Run's function: labels %q, want those of who called Run", got)
				}
				pprof.SetGoroutineLabels(context.Background())
				if got := inTask(l, func() string { return myLabels() }); got != "" {
					t.Errorf("a task of one that took its labels off has %q", got)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	})
}

// The labels of a context are those of pprof.Do in a task, too.
func TestLabelsOfAContext(t *testing.T) {
	cfg := anyDriver(t)
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("run", "this"))
	err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
		if v, _ := pprof.Label(l.Context(), "run"); v != "this" {
			t.Errorf("the task's context has the label %q, want that of Run's", v)
		}
		pprof.Do(l.Context(), pprof.Labels("who", "me"), func(context.Context) {
			l.Sleep(time.Millisecond) // parked and resumed
			if got := myLabels(); got != `{"run":"this", "who":"me"}` {
				t.Errorf("labels %s in Do", got)
			}
		})
		if got := myLabels(); got != `{"run":"this"}` {
			t.Errorf("labels %s behind Do, want the context's", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Whoever sets no labels pays for no memory of them.
func TestLabelsNoAllocs(t *testing.T) {
	cfg := anyDriver(t)
	err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
		fn := func() {}
		l.Go(fn).Wait()
		if n := alloctest.Least(100, 1.1, func() { l.Go(fn).Wait() }); n > 1.1 {
			t.Errorf("%v allocations for a task, want 1", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// asks counts how often a context is asked for a value that is nowhere.
func asks(l *ringo.Loop, asked *int) int {
	*asked = 0
	l.Context().Value(valueKey("none"))
	return *asked
}

// Tasks that start their successors in a WithContext don't add to the contexts that are asked for values: one that is
// always the same is asked once, and of others the last 32 are left. Run's context is always there.
func TestValuesOfSuccessors(t *testing.T) {
	const beats, most = 100, 32
	for _, c := range []struct {
		what string
		ctx  func(asked *int, beat int) context.Context
		want int
	}{
		{"the same context", func() func(*int, int) context.Context {
			var app context.Context
			return func(asked *int, _ int) context.Context {
				if app == nil {
					app = counting{spanned(0), asked}
				}
				return app
			}
		}(), 1},
		{"two by turns", func() func(*int, int) context.Context {
			var both [2]context.Context
			return func(asked *int, beat int) context.Context {
				if both[beat%2] == nil {
					both[beat%2] = counting{spanned(beat % 2), asked}
				}
				return both[beat%2]
			}
		}(), 2},
		{"others", func(asked *int, beat int) context.Context { return counting{spanned(beat), asked} }, most},
	} {
		var asked, atEnd int
		var span, run any
		ofRun := context.WithValue(t.Context(), valueKey("run"), 1)
		err := runContext(t, ofRun, anyDriver(t), func(l *ringo.Loop) error {
			done := ringo.NewChan[struct{}](1)
			var beat func(n int)
			beat = func(n int) {
				if n == beats {
					atEnd, span, run = asks(l, &asked), spanOf(l), l.Context().Value(valueKey("run"))
					done.Send(struct{}{})
					return
				}
				l.WithContext(c.ctx(&asked, n), func() error {
					l.AfterFunc(0, func() { beat(n + 1) })
					return nil
				})
			}
			beat(0)
			done.Recv()
			return nil
		})
		equal(t, c.what+": Run", err, nil)
		equal(t, c.what+": contexts asked", atEnd, c.want)
		if want := c.ctx(&asked, beats-1).Value(valueKey("span")); span != want || run != any(1) {
			t.Errorf("%s: the values are %v and %v, want %v and 1", c.what, span, run, want)
		}
	}
}

// A task that one Run starts on a loop of another has the values of both.
func TestValuesOfTwoRuns(t *testing.T) {
	there, over := make(chan *ringo.Loop, 1), make(chan struct{})
	ended := start(context.WithValue(context.Background(), valueKey("run"), "there"), anyDriver(t),
		func(l *ringo.Loop) error {
			there <- l
			return l.Offload(func(context.Context) error { <-over; return nil })
		})
	to := receive(t, "the other Run's loop", there)
	var got [3]any
	err := runContext(t, context.WithValue(t.Context(), valueKey("here"), 1), anyDriver(t), func(l *ringo.Loop) error {
		return l.WithContext(spanned("mine"), func() error {
			return l.WithContext(spanned("inner"), func() error {
				return to.Go(func() {
					ctx := to.Context()
					got = [3]any{spanOf(to), ctx.Value(valueKey("here")), ctx.Value(valueKey("run"))}
				}).Wait()
			})
		})
	})
	close(over)
	equal(t, "Run", err, nil)
	equal(t, "the other Run", receive(t, "its end", ended), nil)
	equal(t, "values", got, [3]any{"inner", 1, "there"})
}

// secret is a context with a deadline that it does not tell.
type secret struct{ context.Context }

func (secret) Deadline() (at time.Time, ok bool) { return at, false }

// The end of a context around a block reaches the context in the block, even if it is a deadline that nothing told.
func TestContextInsideASecretDeadline(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		run(t, cfg, func(l *ringo.Loop) error {
			outer, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
			defer cancel()
			return l.WithContext(spanned("outer"), func() error {
				return l.WithContext(secret{outer}, func() error {
					return l.WithContext(spanned("inner"), func() error {
						ctx := l.Context()
						if err := patience.Poll(l.Yield, func() bool { return ctx.Err() != nil }); err != nil {
							t.Errorf("the end of the context around: %v", err)
						}
						if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("the cause is %v", err)
						}
						return nil
					})
				})
			})
		})
	})
}
