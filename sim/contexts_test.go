package sim_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
)

var errMine = errors.New("a cause of its own")

// contextCase is what a task sees of contexts made of Loop.Context. self is the task.
type contextCase func(l *ringo.Loop, self *ringo.Task, want wantEnd)

// wantEnd checks how a context has ended; nil: it has not.
type wantEnd func(what string, ctx context.Context, err, cause error)

// over waits until all have ended, without a wait that their end could end.
func over(l *ringo.Loop, all ...context.Context) {
	for _, ctx := range all {
		for ctx.Err() == nil {
			l.Yield()
		}
	}
}

// descend makes descendants of ctx in each way. ctx ends them.
func descend(ctx context.Context) map[string]context.Context {
	child := uncancelled(context.WithCancel(ctx))
	return map[string]context.Context{
		"itself":        ctx,
		"a child":       child,
		"a grandchild":  uncancelled(context.WithCancelCause(context.WithValue(child, contextKey{}, 1))),
		"a timed child": uncancelled(context.WithTimeout(ctx, 24*time.Hour)),
	}
}

// passes waits until the limit of the task's context has passed.
func passes(l *ringo.Loop, want wantEnd) {
	for what, ctx := range descend(l.Context()) {
		over(l, ctx)
		want(what, ctx, context.DeadlineExceeded, context.DeadlineExceeded)
	}
}

// uncancelled drops the cancel function.
func uncancelled[F any](ctx context.Context, _ F) context.Context { return ctx }

type contextKey struct{}

var contextCases = map[string]contextCase{
	"limit": func(l *ringo.Loop, self *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Millisecond, func() error {
			all := descend(l.Context())
			for what, ctx := range all {
				over(l, ctx)
				want(what, ctx, context.DeadlineExceeded, context.DeadlineExceeded)
			}
			self.Cancel()
			all["a late child"] = uncancelled(context.WithCancel(l.Context()))
			for what, ctx := range all {
				want(what+" after a cancel", ctx, context.DeadlineExceeded, context.DeadlineExceeded)
			}
			return nil
		})
	},
	"no time": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(0, func() error {
			for what, ctx := range descend(l.Context()) {
				want(what, ctx, context.DeadlineExceeded, context.DeadlineExceeded)
			}
			return nil
		})
	},
	"cancel": func(l *ringo.Loop, self *ringo.Task, want wantEnd) {
		outside := descend(l.Context())
		l.WithTimeout(time.Hour, func() error {
			outer := descend(l.Context())
			return l.WithTimeout(time.Minute, func() error {
				inner := descend(l.Context())
				for what, ctx := range inner {
					want(what+" before", ctx, nil, nil)
				}
				self.Cancel()
				for _, all := range []map[string]context.Context{outside, outer, inner, descend(l.Context())} {
					for what, ctx := range all {
						want(what, ctx, context.Canceled, context.Canceled)
					}
				}
				return nil
			})
		})
	},
	"cancelled before": func(l *ringo.Loop, self *ringo.Task, want wantEnd) {
		self.Cancel()
		l.WithTimeout(0, func() error {
			for what, ctx := range descend(l.Context()) {
				want(what, ctx, context.Canceled, context.Canceled)
			}
			return nil
		})
	},
	"a cause before the limit": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		for limit, before := time.Millisecond, false; !before; limit *= 2 { // a machine may stand still for each
			l.WithTimeout(limit, func() error {
				child, cancel := context.WithCancelCause(l.Context())
				cancel(errMine)
				if before = l.Context().Err() == nil; before {
					over(l, l.Context())
					want("the child", child, context.Canceled, errMine)
				}
				return nil
			})
		}
	},
	"the outer limit first": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Millisecond, func() error {
			return l.WithTimeout(time.Hour, func() error {
				for what, ctx := range descend(l.Context()) {
					over(l, ctx)
					want(what, ctx, context.DeadlineExceeded, context.DeadlineExceeded)
				}
				return nil
			})
		})
	},
	"the inner limit first": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Hour, func() error {
			outer := descend(l.Context())
			l.WithTimeout(time.Millisecond, func() error {
				for what, ctx := range descend(l.Context()) {
					over(l, ctx)
					want(what, ctx, context.DeadlineExceeded, context.DeadlineExceeded)
				}
				return nil
			})
			for what, ctx := range outer {
				want("outside, "+what, ctx, nil, nil)
			}
			return nil
		})
	},
	"the function returns": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		var all map[string]context.Context
		l.WithTimeout(time.Hour, func() error { all = descend(l.Context()); return nil })
		for what, ctx := range all {
			want(what, ctx, context.Canceled, context.Canceled)
		}
		want("the task's", l.Context(), nil, nil)
	},
	"AfterFunc": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Millisecond, func() error {
			child, cancel := context.WithCancel(l.Context())
			defer cancel()
			called := make(chan struct{})
			context.AfterFunc(child, func() { close(called) })
			over(l, child)
			<-called // by a goroutine of Go's, which needs no turn
			want("the child", child, context.DeadlineExceeded, context.DeadlineExceeded)
			return nil
		})
	},
	"a context of others in a limit": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		l.WithTimeout(time.Hour, func() error {
			return l.WithContext(given, func() error {
				all := descend(l.Context())
				cancel(errMine)
				for what, ctx := range all {
					over(l, ctx)
					want(what, ctx, context.Canceled, errMine)
				}
				return nil
			})
		})
	},
	"a limit in a context of others": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		l.WithContext(given, func() error {
			return l.WithTimeout(time.Hour, func() error {
				all := descend(l.Context())
				cancel(errMine)
				for what, ctx := range all {
					over(l, ctx)
					want(what, ctx, context.Canceled, errMine)
				}
				return nil
			})
		})
	},
	"a context of others": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		l.WithContext(given, func() error {
			all := descend(l.Context())
			cancel(errMine)
			for what, ctx := range all {
				want(what, ctx, context.Canceled, errMine)
			}
			return nil
		})
	},
	"a context of others in a limit that passes": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		l.WithTimeout(time.Millisecond, func() error {
			return l.WithContext(given, func() error {
				return l.WithContext(uncancelled(context.WithCancel(given)), func() error {
					passes(l, want)
					return nil
				})
			})
		})
		want("the given one", given, nil, nil)
	},
	"a limit that passes in a context of others": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		l.WithContext(given, func() error {
			outside := descend(l.Context())
			l.WithTimeout(time.Millisecond, func() error { passes(l, want); return nil })
			for what, ctx := range outside {
				want("outside, "+what, ctx, nil, nil)
			}
			return nil
		})
	},
	"a limit that passes around a limit in a context of the task's": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Millisecond, func() error {
			return l.WithContext(uncancelled(context.WithCancel(l.Context())), func() error {
				return l.WithTimeout(time.Hour, func() error { passes(l, want); return nil })
			})
		})
	},
	"no time in a context of others": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		l.WithContext(given, func() error {
			return l.WithTimeout(0, func() error { passes(l, want); return nil })
		})
	},
	"a context of others that has ended, in a limit": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		cancel(errMine)
		l.WithTimeout(time.Hour, func() error {
			return l.WithContext(given, func() error {
				for what, ctx := range descend(l.Context()) {
					want(what, ctx, context.Canceled, errMine)
				}
				return nil
			})
		})
	},
	"a cancel in a context of others in a limit": func(l *ringo.Loop, self *ringo.Task, want wantEnd) {
		given, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		l.WithTimeout(time.Hour, func() error {
			return l.WithContext(given, func() error {
				all := descend(l.Context())
				self.Cancel()
				for what, ctx := range all {
					over(l, ctx)
					want(what, ctx, context.Canceled, context.Canceled)
				}
				return nil
			})
		})
	},
	"no goroutines": func(l *ringo.Loop, _ *ringo.Task, want wantEnd) {
		l.WithTimeout(time.Hour, func() error {
			before := runtime.NumGoroutine()
			for range 100 {
				descend(l.Context())
				l.WithTimeout(time.Hour, func() error { descend(l.Context()); return nil })
			}
			if n := runtime.NumGoroutine() - before; n > 50 {
				want(fmt.Sprintf("that began %d goroutines", n), l.Context(), errMine, nil)
			}
			return nil
		})
	},
}

// tryContexts tries each case in a task of its own.
func tryContexts(l *ringo.Loop, errorf func(format string, args ...any)) {
	for name, try := range contextCases {
		var self *ringo.Task
		self = l.Go(func() {
			try(l, self, func(what string, ctx context.Context, err, cause error) {
				if ctx.Err() != err || context.Cause(ctx) != cause {
					errorf("%s: %s has ended by %v, cause %v, want %v, cause %v", name, what, ctx.Err(),
						context.Cause(ctx), err, cause)
				}
			})
		})
		self.Wait()
	}
}

// What package context makes of a task's context ends in a world as it does on a loop of the system's.
func TestChildContexts(t *testing.T) {
	t.Run("system", func(t *testing.T) {
		err := ringo.Run(t.Context(), nil, func(l *ringo.Loop) error { tryContexts(l, t.Errorf); return nil })
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("no loops here:", err)
		}
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("world", func(t *testing.T) {
		here(t, func(w *sim.World, l *ringo.Loop) error { tryContexts(l, w.Errorf); return nil })
	})
}
