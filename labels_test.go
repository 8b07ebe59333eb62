package ringo_test

import (
	"bytes"
	"context"
	"iter"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/rt/labels"
	"ringo/internal/test/alloctest"
)

// myLabels gives the labels that a profile shows of the caller, "" for none. One calls it at a time: the profile is
// searched for its name.
//
//go:noinline
func myLabels() string { return labelsOf("ringo_test.myLabels") }

// labelsOf gives the labels that a profile shows of goroutines that are in a function.
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
					if got := labelsOf("internal/loop.(*Loop).newWorker"); strings.Contains(got, "the last") {
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
