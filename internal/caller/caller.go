// Package caller does what tasks and goroutines do in different ways, for libraries that both call.
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

// Here returns the loop of the calling task; nil if the caller is a goroutine. Unlike ringo.Current it makes no Task.
func Here() *ringo.Loop {
	l, _ := loop.Current()
	return (*ringo.Loop)(l)
}

// Now returns the present time, for comparison with other results of Now. The wall clock of a simulated host may be
// set; this clock is not affected by that.
func Now() time.Time {
	if l, _ := loop.Current(); l != nil {
		return l.Clock()
	}
	return time.Now()
}

// Begin runs f beside the caller: in a new task of the caller's loop if the caller is a task, otherwise on a goroutine.
// f's context has the values of ctx but does not end with it: only cancel ends it and, in a task, f's waits.
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

// In calls f. The waits of f, and the context that it gets, end when ctx does and, if the caller is a task, when the
// task is cancelled or its time is over. A nil ctx never ends.
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

// Within is In, for at most d. over reports whether f failed because a time was over although neither ctx nor the
// caller has ended: normally that time is d.
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

// Ended returns the error of waits that ctx has ended, or that the calling task's cancel or timeout has. It returns nil
// while waits go on.
func Ended(ctx context.Context) error {
	if ctx != nil && ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	if l, _ := loop.Current(); l != nil && l.Canceled() {
		return l.Cause()
	}
	return nil
}

// Sleep waits for d. It fails if ctx, or the caller's waits, end before.
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

// Panic returns the error for callers that wait for a function that has panicked. v is the result of recover; if it is
// nil, there was no panic and the error is nil. A *ringo.PanicError is returned as it is.
func Panic(v any, in string) *ringo.PanicError {
	if v == nil {
		return nil
	}
	if p, ok := v.(*ringo.PanicError); ok {
		return p
	}
	return &ringo.PanicError{Value: v, Stack: debug.Stack(), In: in}
}
