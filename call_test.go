package ringo_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
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
