package ringo_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
)

// panicHere is a name to find in a stack.
func panicHere(v any) { panic(v) }

// iterator is a function as an iterator that a task pulls.
func iterator(f func()) {
	next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) { f() }))
	defer stop()
	next()
}

// panickers are ways of a task to panic. The stack must show panicHere, but for
// those whose runtime took it away.
var panickers = []struct {
	name  string
	fn    func(l *ringo.Loop)
	value func(v any) bool
	where string
}{
	{"string", func(l *ringo.Loop) { panicHere("text") }, func(v any) bool { return v == "text" }, "panicHere"},
	{"error", func(l *ringo.Loop) { panicHere(io.EOF) }, func(v any) bool { return v == any(io.EOF) }, "panicHere"},
	{"nil", func(l *ringo.Loop) { panicHere(nil) }, func(v any) bool {
		_, ok := v.(*runtime.PanicNilError)
		return ok
	}, "panicHere"},
	{"runtime error", func(l *ringo.Loop) { var a []int; _ = a[len(os.Args)] }, func(v any) bool {
		_, ok := v.(runtime.Error)
		return ok
	}, "ringo_test.init.func"},
	{"after a wait", func(l *ringo.Loop) {
		l.Sleep(0)
		panicHere("text")
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"in a deferred function", func(l *ringo.Loop) {
		defer panicHere("text")
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"again, after a recover", func(l *ringo.Loop) {
		defer func() { panicHere(recover()) }()
		panic("text")
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"again, over the first", func(l *ringo.Loop) {
		defer panicHere("text")
		panic("first")
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"behind a deferred wait", func(l *ringo.Loop) {
		defer l.Sleep(time.Millisecond)
		panicHere("text")
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"in an iterator", func(l *ringo.Loop) {
		iterator(func() { l.Sleep(0); panicHere("text") })
	}, func(v any) bool { return v == "text" }, "iter.Pull"},
	{"in Offload", func(l *ringo.Loop) {
		l.Offload(func(context.Context) error { panicHere("text"); return nil })
	}, func(v any) bool { return v == "text" }, "panicHere"},
	{"in Offload, seen by the task", func(l *ringo.Loop) {
		l.Offload(func(context.Context) error { panicHere("text"); return nil })
	}, func(v any) bool { return v == "text" }, "(*Loop).Offload"},
	{"in Compute", func(l *ringo.Loop) {
		l.Compute(func(context.Context) error { panicHere(io.EOF); return nil })
	}, func(v any) bool { return v == io.EOF }, "Compute"},
}

// OnPanic is told the value and the task's own stack, in a task; whoever waits
// gets the same as an error; the loop goes on.
func TestPanic(t *testing.T) {
	for _, c := range panickers {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				told := 0
				cfg.OnPanic = func(l *ringo.Loop, v any, stack []byte) {
					if !c.value(v) || !strings.Contains(string(stack), c.where) {
						t.Errorf("OnPanic: %v\n%s\nwant %s in it", v, stack, c.where)
					}
					if err := l.Sleep(time.Millisecond); err != nil {
						t.Errorf("Sleep in OnPanic: %v", err)
					}
					told++
				}
				mustRun(t, cfg, func(l *ringo.Loop) {
					err := l.Go(func() { c.fn(l) }).Wait()
					var p *ringo.PanicError
					if !errors.As(err, &p) || !c.value(p.Value) || !strings.Contains(string(p.Stack), c.where) {
						t.Errorf("Wait: %v", err)
					}
					l.Post(func() { c.fn(l) })
					sleepUntil(t, l, "OnPanic", func() bool { return told == 2 })
					if n := l.Stats().Workers; n > 4 {
						t.Errorf("%d coroutines", n)
					}
				})
				equal(t, "calls of OnPanic", told, 2)
			})
		})
	}
}

// OnPanic is a task of its own: a cancel of the one that panicked is not for it,
// and who waits for that one does not wait for OnPanic.
func TestOnPanicIsItsOwnTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		told := make(chan error, 1)
		release := make(chan struct{})
		cfg.OnPanic = func(l *ringo.Loop, _ any, _ []byte) {
			l.Offload(func(context.Context) error { <-release; return nil })
			told <- l.Sleep(time.Millisecond)
		}
		mustRun(t, cfg, func(l *ringo.Loop) {
			task := l.Go(func() { l.Sleep(time.Hour); panicHere("cancelled") })
			l.Sleep(0)
			task.Cancel()
			if task.Wait() == nil {
				t.Error("no error")
			}
			close(release)
			if err := await(t, l, "OnPanic", told); err != nil {
				t.Errorf("a wait in OnPanic: %v", err)
			}
		})
	})
}

// A panic says where it was, once.
func TestPanicText(t *testing.T) {
	fail := func(context.Context) error { panicHere("the reason"); return nil }
	for in, fn := range map[string]func(l *ringo.Loop){
		"a task":  func(l *ringo.Loop) { fail(nil) },
		"Offload": func(l *ringo.Loop) { l.Offload(fail) },
		"Compute": func(l *ringo.Loop) { l.Compute(fail) },
	} {
		t.Run(in, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				mustRun(t, cfg, func(l *ringo.Loop) {
					group := ringo.NewGroup(l)
					group.Go(func() error { fn(l); return nil })
					for what, err := range map[string]error{"Wait": l.Go(func() {
						fn(l)
					}).Wait(), "Group.Wait": group.Wait()} {
						p, ok := err.(*ringo.PanicError)
						if !ok || p.In != in || p.Value != "the reason" {
							t.Fatalf("%s: %T %v", what, err, err)
						}
						text := p.Error()
						for _, once := range []string{"the reason", "[in " + in + "]", "[in ",
							"ringo_test.panicHere("} {
							if n := strings.Count(text, once); n != 1 {
								t.Errorf("%s: %q is %d times in\n%s", what, once, n, text)
							}
						}
						if !strings.Contains(text, "ringo_test.TestPanicText") {
							t.Errorf("%s: nothing of the task in\n%s", what, text)
						}
					}
				})
				mustRun(t, cfg, func(l *ringo.Loop) { // what a task that recovers gets
					if in == "a task" {
						return
					}
					p, ok := panics(func() { fn(l) }).(*ringo.PanicError)
					if !ok || p.In != in || p.Value != "the reason" {
						t.Errorf("recovered: %v", p)
					}
				})
			})
		})
	}
}

// A recover in the task is the task's own business.
func TestRecoveredPanic(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(_ *ringo.Loop, v any, _ []byte) { t.Errorf("OnPanic: %v", v) }
		mustRun(t, cfg, func(l *ringo.Loop) {
			err := l.Go(func() {
				for name, f := range map[string]func(){
					"task":     func() { l.Sleep(0); panicHere("text") },
					"iterator": func() { iterator(func() { l.Sleep(0); panicHere("text") }) },
					"Offload":  func() { l.Offload(func(context.Context) error { panicHere("text"); return nil }) },
				} {
					v := panics(f)
					if p, ok := v.(*ringo.PanicError); ok {
						v = p.Value
					}
					equal(t, name, v, any("text"))
				}
				if err := l.Sleep(0); err != nil {
					t.Error(err)
				}
			}).Wait()
			if err != nil {
				t.Error(err)
			}
		})
	})
}

func TestPanicError(t *testing.T) {
	p := &ringo.PanicError{Value: io.ErrUnexpectedEOF, Stack: []byte("the stack"), In: "Offload"}
	if !errors.Is(p, io.ErrUnexpectedEOF) {
		t.Error("the error that it was is not found")
	}
	equal(t, "text", p.Error(), "unexpected EOF [in Offload]\n\nthe stack")
	if errors.Unwrap(&ringo.PanicError{Value: "text"}) != nil {
		t.Error("a string became an error")
	}
}

func init() {
	crash := func(fn func(l *ringo.Loop)) func() {
		return func() {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				fn(l)
				return nil
			}); err != nil {
				os.Stderr.WriteString(err.Error())
				os.Exit(3)
			}
		}
	}
	children["panic in fn"] = crash(func(l *ringo.Loop) { panicHere("the reason") })
	children["panic in a task"] = crash(func(l *ringo.Loop) {
		l.Go(func() { l.Sleep(0); panicHere(errors.New("the reason")) })
		l.Sleep(time.Hour)
	})
	children["panic in a post"] = crash(func(l *ringo.Loop) { l.Post(func() { panicHere("the reason") }) })
	children["panic in Offload"] = crash(func(l *ringo.Loop) {
		l.Offload(func(context.Context) error { panicHere("the reason"); return nil })
	})
	children["panic in OnPanic"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.OnPanic = func(*ringo.Loop, any, []byte) { panicHere("the reason") }
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error { panic("the first") })
	}
}

// Without OnPanic, or where OnPanic itself panics, the program ends as it would by
// a panic in a goroutine, and shows where in the task it was.
func TestPanicCrashes(t *testing.T) {
	for _, name := range []string{"panic in fn", "panic in a task", "panic in a post",
		"panic in Offload", "panic in OnPanic"} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				text, code := output(t, child(t, name, "RINGO_TEST_DRIVER="+cfg.Driver))
				if in := map[bool]string{true: "[in Offload]",
					false: "[in a task]"}[name == "panic in Offload"]; strings.Count(text, "[in ") != 1 ||
					!strings.Contains(text, in) {
					t.Errorf("want %s, once, in\n%s", in, text)
				}
				if code != 2 || !strings.HasPrefix(text, "panic: ") ||
					!strings.Contains(text, "the reason") || !strings.Contains(text, "ringo_test.panicHere") {
					t.Errorf("exit status %d, want 2, the value and the stack of the task\n%s", code, text)
				}
			})
		})
	}
}

// goexits are the ways of a task to end by runtime.Goexit. A function calls ran
// for each thing that must still happen.
var goexits = []struct {
	name string
	runs int // how often ran must have been called
	fn   func(l *ringo.Loop, ran func())
}{
	{"plainly", 0, func(l *ringo.Loop, ran func()) { runtime.Goexit() }},
	{"after a wait", 0, func(l *ringo.Loop, ran func()) { l.Sleep(0); runtime.Goexit() }},
	{"with a deferred function", 1, func(l *ringo.Loop, ran func()) { defer ran(); runtime.Goexit() }},
	{"in a deferred function", 2, func(l *ringo.Loop, ran func()) {
		defer ran()
		defer func() { defer ran(); runtime.Goexit() }()
	}},
	{"twice", 2, func(l *ringo.Loop, ran func()) {
		defer func() { defer ran(); runtime.Goexit() }()
		defer ran()
		runtime.Goexit()
	}},
	{"with a deferred function that waits", 3, func(l *ringo.Loop, ran func()) {
		defer func() {
			if l.Sleep(time.Millisecond) == nil {
				ran()
			}
			l.Offload(func(context.Context) error { ran(); return nil })
			l.Go(ran).Wait()
		}()
		runtime.Goexit()
	}},
	{"with a deferred function that recovers", 1, func(l *ringo.Loop, ran func()) {
		defer func() {
			if recover() == nil { // there is nothing to recover, and it goes on
				ran()
			}
		}()
		runtime.Goexit()
	}},
	{"out of a panic", 1, func(l *ringo.Loop, ran func()) {
		defer func() { defer ran(); runtime.Goexit() }()
		panic("forgotten")
	}},
	{"in an iterator", 1, func(l *ringo.Loop, ran func()) {
		next, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
			defer ran()
			l.Sleep(0)
			runtime.Goexit()
		}))
		next()
	}},
	{"in an iterator in an iterator", 2, func(l *ringo.Loop, ran func()) {
		outer, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
			defer ran()
			inner, _ := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
				defer ran()
				l.Sleep(0)
				runtime.Goexit()
			}))
			inner()
		}))
		outer()
	}},
}

// Goexit ends its task and nothing else: the loop, the other tasks and what was
// deferred go on, whoever waits is told, and no coroutine is left.
func TestGoexit(t *testing.T) {
	for _, c := range goexits {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := runtime.NumGoroutine()
				mustRun(t, cfg, func(l *ringo.Loop) {
					var ran, posted int
					over := false
					other := l.Go(func() {
						for !over {
							l.Sleep(100 * time.Microsecond)
						}
					})
					for i := range 5 {
						task := l.Go(func() { c.fn(l, func() { ran++ }); t.Error("it returned") })
						if err := task.Wait(); err != ringo.ErrGoexit {
							t.Errorf("Wait: %v, want ErrGoexit", err)
						}
						if err := l.Post(func() {
							posted++
							c.fn(l, func() { ran++ })
							t.Error("it returned")
						}); err != nil {
							t.Error(err)
						}
						sleepUntil(t, l, "the end of the post", func() bool {
							return posted == i+1 && l.Stats().Tasks == 2
						})
					}
					equal(t, "what must still run", ran, 10*c.runs)
					over = true
					if err := other.Wait(); err != nil {
						t.Errorf("another task: %v", err)
					}
					if n := l.Stats().Workers; n > 4 {
						t.Errorf("%d coroutines, though there were never more than four tasks", n)
					}
				})
				eventually(t, "the end of all coroutines", func() bool { return runtime.NumGoroutine() <= before })
			})
		})
	}
}

// A cancelled task may end that way, too, in whatever it does about the cancel.
func TestGoexitWhileCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			cleaned := 0
			task := l.Go(func() {
				defer func() {
					if l.Sleep(0) == context.Canceled && l.Go(func() { cleaned++ }).Wait() == nil {
						cleaned++
					}
				}()
				if l.Sleep(time.Hour) != nil {
					runtime.Goexit()
				}
			})
			l.Sleep(0)
			task.Cancel()
			if err := task.Wait(); err != ringo.ErrGoexit {
				t.Errorf("Wait: %v", err)
			}
			equal(t, "clean-up steps", cleaned, 2)
		})
	})
}

// Tests fail in tasks, from helpers, and what they deferred runs.
func TestFailNowInTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 3 {
				inner := new(testing.T) // its own FailNow, which is Goexit
				cleaned := false
				task := l.Go(func() {
					defer func() { l.Sleep(0); cleaned = true }()
					inner.FailNow()
				})
				if err := task.Wait(); err != ringo.ErrGoexit || !inner.Failed() || !cleaned {
					t.Errorf("Wait: %v, failed: %v, cleaned: %v", err, inner.Failed(), cleaned)
				}
			}
		})
	})
}

// A Goexit among many tasks loses none of the others, nor their order.
func TestGoexitAmongMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var order, want []int
			for i := range 1000 {
				l.Go(func() {
					order = append(order, i)
					if i%3 == 0 {
						runtime.Goexit()
					}
					if i%3 == 1 {
						l.Sleep(0)
					}
				})
				want = append(want, i)
			}
			sleepUntil(t, l, "all tasks", func() bool { return l.Stats().Tasks == 1 })
			equalList(t, "the order of starts", order, want)
		})
	})
}

// With GODEBUG=panicnil=1 recover returns nil for panic(nil), as for Goexit. The task ends with that panic anyway.
func TestPanicNilAllowed(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told any
		cfg.OnPanic = func(_ *ringo.Loop, v any, _ []byte) { told = v }
		run(t, cfg, func(l *ringo.Loop) error {
			err := l.Go(func() { panic(nil) }).Wait()
			var p *ringo.PanicError
			if !errors.As(err, &p) || p.Value != told {
				t.Errorf("Wait: %v, OnPanic got %v", err, told)
			}
			return l.Go(func() {}).Wait()
		})
		if _, ok := told.(*runtime.PanicNilError); !ok {
			t.Errorf("OnPanic got %v", told)
		}
	})
}
