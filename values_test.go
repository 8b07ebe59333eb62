package ringo_test

import (
	"context"
	"fmt"
	"iter"
	"runtime/pprof"
	"testing"
	"time"

	"ringo"
)

type valueKey string

// spanned is a context that can't be done and has a value, as that of a span which began with context.Background.
func spanned(value any) context.Context {
	return context.WithValue(context.Background(), valueKey("span"), value)
}

func spanOf(l *ringo.Loop) any { return l.Context().Value(valueKey("span")) }

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
