// Package caller is what tasks and goroutines do differently, for libraries that serve both.
package caller

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// Here is the loop of the task that the caller is; nil for a goroutine. It makes no Task, as ringo.Current does.
func Here() *ringo.Loop {
	l, _ := loop.Current()
	return (*ringo.Loop)(l)
}

// Now is this moment, to be compared with other moments: the clock of a simulated host may be set, and this is not.
func Now() time.Time {
	if l, _ := loop.Current(); l != nil {
		return l.Clock()
	}
	return time.Now()
}

// Begin has f run beside the caller: in a task of its loop if the caller is a task, and else on a goroutine. The
// context of f has the values of ctx, and ends with cancel alone, as do the waits of a task in it.
func Begin(ctx context.Context, f func(context.Context)) (cancel func()) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = context.WithoutCancel(ctx)
	l := Here()
	if l == nil {
		ctx, end := context.WithCancel(ctx)
		go func() {
			defer end()
			f(ctx)
		}()
		return end
	}
	task := l.Go(func() { l.WithContext(ctx, func() error { f(l.Context()); return nil }) })
	return task.Cancel
}

// In calls f, whose waits end with ctx, and with the caller if that is a task. f gets a context that ends so.
func In(ctx context.Context, f func(context.Context) error) error {
	l := Here()
	switch {
	case l == nil && ctx == nil:
		return f(context.Background())
	case l == nil:
		return f(ctx)
	case ctx == nil:
		return f(l.Context())
	}
	return l.WithContext(ctx, func() error { return f(l.Context()) })
}

// Within is In, for no longer than d. over says that f has failed since a time was over that neither ctx has nor the
// caller.
func Within(ctx context.Context, d time.Duration, f func(context.Context) error) (over bool, err error) {
	if l := Here(); l != nil {
		err = l.WithTimeout(d, func() error { return In(ctx, f) })
	} else {
		within, cancel := context.WithTimeout(orBackground(ctx), d)
		defer cancel()
		err = f(within)
	}
	late := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	return late && Ended(ctx) == nil, err
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// Ended is why the caller, or ctx, waits no more; nil if it does.
func Ended(ctx context.Context) error {
	if ctx != nil && ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	if l, _ := loop.Current(); l != nil && l.Canceled() {
		return l.Cause()
	}
	return nil
}

// Sleep waits for d, or until ctx ends, or the caller.
func Sleep(ctx context.Context, d time.Duration) error {
	if l := Here(); l != nil {
		return In(ctx, func(context.Context) error { return l.Sleep(d) })
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-orBackground(ctx).Done():
		return loop.ContextError(ctx)
	}
}

// Panic is what a panic is for those who wait for what has panicked: v is what recover has returned, nil if there was
// none.
func Panic(v any, in string) *ringo.PanicError {
	if v == nil {
		return nil
	}
	if p, ok := v.(*ringo.PanicError); ok {
		return p
	}
	return &ringo.PanicError{Value: v, Stack: debug.Stack(), In: in}
}
