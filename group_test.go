package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"ringo"
)

func TestGroup(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			g := ringo.NewGroup(l)
			if err := g.Wait(); err != nil {
				t.Errorf("an empty group: %v", err)
			}
			sum := 0
			for i := range 100 {
				g.Go(func() error {
					l.Sleep(time.Duration(i%7) * time.Millisecond)
					g.Go(func() error { sum += i; return nil }) // also while the group is waited for
					return nil
				})
			}
			equal(t, "before Wait", sum, 0)
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			equal(t, "after Wait", sum, 99*100/2)
			g.Go(func() error { return io.EOF })
			equal(t, "used again", g.Wait(), io.EOF)
			equal(t, "and asked again", g.Wait(), io.EOF)
		})
	})
}

// However a task fails, the others are cancelled at once, in whatever order they
// were started.
func TestGroupFailure(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		for _, c := range []struct {
			name string
			fail func() error
			ok   func(err error) bool
		}{
			{"error", func() error { return io.EOF }, func(err error) bool { return err == io.EOF }},
			{"Goexit", func() error {
				runtime.Goexit()
				return nil
			}, func(err error) bool { return err == ringo.ErrGoexit }},
			{"panic", func() error { panic(io.EOF) }, func(err error) bool {
				p := (*ringo.PanicError)(nil)
				return errors.As(err, &p) && errors.Is(err, io.EOF)
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				mustRun(t, cfg, func(l *ringo.Loop) {
					g := ringo.NewGroup(l)
					cancelled := 0
					sleeper := func() error {
						err := l.Sleep(time.Hour)
						if err == context.Canceled {
							cancelled++
						}
						return fmt.Errorf("a later error: %w", err)
					}
					g.Go(sleeper)
					g.Go(func() error { l.Sleep(time.Millisecond); return c.fail() })
					g.Go(sleeper)
					if err := g.Wait(); !c.ok(err) {
						t.Errorf("Wait: %v", err)
					}
					equal(t, "cancelled tasks", cancelled, 2)
					g.Go(sleeper) // too late for anything but to end
					g.Wait()
					equal(t, "cancelled tasks with a late one", cancelled, 3)
				})
			})
		}
	})
}

// A cancel of the one who waits is no cancel of the group.
func TestGroupWaitIsShielded(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			task := l.Go(func() {
				g := ringo.NewGroup(l)
				ended := 0
				for range 3 {
					g.Go(func() error { err := l.Sleep(10 * time.Millisecond); ended++; return err })
				}
				if err := g.Wait(); err != nil || ended != 3 {
					t.Errorf("Wait: %v after %d of 3 tasks", err, ended)
				}
			})
			l.Sleep(time.Millisecond)
			task.Cancel()
			task.Wait()
		})
	})
}

// Never do more tasks run than the limit allows, Go waits for room and TryGo does not, and all run in the end.
func TestGroupLimit(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			g := ringo.NewGroup(l)
			g.SetLimit(3)
			now, most, ran := 0, 0, 0
			work := func() error {
				now++
				most = max(most, now)
				l.Sleep(time.Duration(ran%3) * 100 * time.Microsecond)
				now--
				ran++
				return nil
			}
			var starters []*ringo.Task
			for range 4 { // who start tasks at the same time
				starters = append(starters, l.Go(func() {
					for range 10 {
						g.Go(work)
					}
				}))
			}
			starters[0].Cancel() // it waits for room all the same
			l.Sleep(0)
			for _, s := range starters {
				s.Wait()
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			equal(t, "tasks at once", most, 3)
			equal(t, "tasks", ran, 40)

			gate := ringo.NewChan[int](0)
			held := func() error { _, err := gate.Recv(); return err }
			for range 3 {
				equal(t, "TryGo with room", g.TryGo(held), true)
			}
			equal(t, "TryGo without", g.TryGo(held), false)
			equal(t, "SetLimit", panics(func() { g.SetLimit(5) }),
				any("ringo: Group.SetLimit while 3 tasks run"))
			begun := false
			waits := l.Go(func() { g.Go(func() error { return io.EOF }); begun = true })
			l.Sleep(0)
			equal(t, "Go without room has returned", begun, false)
			gate.Send(1) // one ends, and its place is not to be had by others
			for !begun {
				if g.TryGo(held) {
					t.Fatal("TryGo took the place of one who waits")
				}
				l.Sleep(0)
			}
			waits.Wait()
			equal(t, "Wait", g.Wait(), io.EOF)
		})
	})
}

// With a limit of nothing nothing runs, and a negative one is none.
func TestGroupOddLimits(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		g := ringo.NewGroup(l)
		g.SetLimit(0)
		fn := func() error { return nil }
		equal(t, "TryGo", g.TryGo(fn), false)
		equal(t, "Go", panics(func() { g.Go(fn) }), any("ringo: Group.Go with a limit of 0 tasks"))
		g.SetLimit(-1)
		for range 100 {
			equal(t, "TryGo", g.TryGo(fn), true)
		}
		equal(t, "Wait", g.Wait(), nil)
	})
}

// The tasks of a group end with its context, and the context with the first of them that fails, or with Wait.
func TestGroupWithContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			mine := errors.New("mine")
			type key struct{}
			outer, cancel := context.WithCancelCause(context.WithValue(l.Context(), key{}, "value"))
			g, ctx := ringo.GroupWithContext(outer, l)
			ended := 0
			for range 3 {
				g.Go(func() error {
					equal(t, "value", l.Context().Value(key{}), any("value"))
					err := l.Sleep(time.Hour)
					if !errors.Is(err, mine) || !errors.Is(err, context.Canceled) {
						t.Errorf("Sleep when the context has ended: %v", err)
					}
					ended++
					return err
				})
			}
			l.Sleep(0)
			cancel(mine)
			if err := g.Wait(); !errors.Is(err, mine) {
				t.Errorf("Wait: %v", err)
			}
			equal(t, "tasks that have ended", ended, 3)
			equal(t, "the context", ctx.Err(), context.Canceled)

			g, ctx = ringo.GroupWithContext(t.Context(), l)
			g.Go(func() error { return l.Offload(wait) })
			g.Go(func() error { l.Sleep(time.Millisecond); return io.EOF })
			equal(t, "Wait", g.Wait(), io.EOF)
			equal(t, "why the context has ended", context.Cause(ctx), io.EOF)

			g, ctx = ringo.GroupWithContext(t.Context(), l)
			g.Go(func() error { return ctx.Err() })
			equal(t, "Wait of what succeeds", g.Wait(), nil)
			equal(t, "the context behind Wait", ctx.Err(), context.Canceled)

			late, stop := context.WithTimeout(t.Context(), time.Millisecond)
			defer stop()
			g, _ = ringo.GroupWithContext(late, l)
			g.Go(func() error { return l.Sleep(time.Hour) })
			wantTimeout(t, "Wait behind a deadline", g.Wait())
		})
	})
}
