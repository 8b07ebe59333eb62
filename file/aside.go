package file

import (
	"context"

	"ringo/internal/loop"
)

// aside runs what makes many calls, none of which is worth a hand-over: in a task on an
// ordinary goroutine, while the task parks, else at once. fn is to ask stop between two
// steps, which says why it may not go on: the task was cancelled.
func aside(fn func(stop func() error) error) error {
	l, _ := loop.Current()
	if l == nil {
		return fn(func() error { return nil })
	}
	return l.Offload(func(ctx context.Context) error {
		return fn(func() error { return context.Cause(ctx) })
	})
}
