package ringo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringo"
)

// taskOnly are the methods that only a task of the loop may call. Each reports
// what the caller got: an error, or a panic's value.
func taskOnly(l *ringo.Loop, timer *ringo.Timer, ticker *ringo.Ticker, group *ringo.Group) map[string]func() any {
	fn := func(context.Context) error { return nil }
	return map[string]func() any{
		"Loop.Sleep":       func() any { return l.Sleep(0) },
		"Loop.Offload":     func() any { return l.Offload(fn) },
		"Loop.Compute":     func() any { return l.Compute(fn) },
		"Loop.WithTimeout": func() any { return l.WithTimeout(0, func() error { return nil }) },
		"Loop.WithContext": func() any { return l.WithContext(context.TODO(), func() error { return nil }) },
		"Loop.Yield":       func() any { return panics(l.Yield) },
		"Loop.NewTicker":   func() any { return panics(func() { l.NewTicker(time.Hour).Stop() }) },
		"Ticker.Stop":      func() any { return panics(ticker.Stop) },
		"Ticker.Reset":     func() any { return panics(func() { ticker.Reset(time.Hour) }) },
		"Loop.Context":     func() any { return panics(func() { l.Context() }) },
		"Loop.Now":         func() any { return panics(func() { l.Now() }) },
		"Loop.AfterFunc":   func() any { return panics(func() { l.AfterFunc(0, func() {}) }) },
		"Timer.Stop":       func() any { return panics(func() { timer.Stop() }) },
		"Timer.Reset":      func() any { return panics(func() { timer.Reset(0) }) },
		"Group.Go":         func() any { return panics(func() { group.Go(func() error { return nil }) }) },
		"Group.TryGo":      func() any { return panics(func() { group.TryGo(func() error { return nil }) }) },
		"Group.SetLimit":   func() any { return panics(func() { ringo.NewGroup(l).SetLimit(-1) }) },
		"Group.Wait":       func() any { return panics(func() { group.Wait() }) },
	}
}

// A caller from outside is told, by an error or a panic, and nothing is touched
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
					got := f()
					if text, ok := got.(string); ok && strings.HasPrefix(text, "ringo: "+name+" from outside") {
						continue
					}
					if got != ringo.ErrNotTask {
						t.Errorf("%s from %s: %v, want ErrNotTask or a panic that says so", name, where, got)
					}
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
			refused("Loop.Post", l.Post(nil))
			refused("Loop.AfterFunc", panics(func() { l.AfterFunc(0, nil) }))
			refused("Loop.Offload", l.Offload(nil))
			refused("Loop.Compute", l.Compute(nil))
			refused("Loop.WithTimeout", l.WithTimeout(0, nil))
			refused("Loop.WithContext", l.WithContext(t.Context(), nil))
			refused("Loop.Call", l.Call(nil))
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
