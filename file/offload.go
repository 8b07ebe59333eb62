package file

import (
	"context"

	"ringo/internal/lane"
	"ringo/internal/loop"
)

// offload runs fn, which makes many short calls, where it may block: for a task on an ordinary goroutine while the
// task parks, for other callers directly. fn calls stop between two steps; an error from it means that the task was
// cancelled.
func offload(fn func(stop func() error) error) error {
	l, _ := loop.Current()
	if l == nil {
		return fn(func() error { return nil })
	}
	return l.OffloadIn(lane.Files, func(ctx context.Context) error {
		return fn(func() error { return context.Cause(ctx) })
	})
}
