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
