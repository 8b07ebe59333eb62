package ringo

import (
	"context"
	"time"
)

// WithTimeout calls fn and returns its error. Waits inside fn that last until d has
// passed, and those that begin later, fail with an error that is a timeout: its
// Timeout method says so, and errors.Is finds os.ErrDeadlineExceeded. That holds for
// every wait that a cancel would end: on connections and listeners, Dial, Sleep,
// Offload, Compute, Semaphore, Chan, Select, and the LockContext and WaitContext of the
// others. What fn has got by then
// is not lost, and what need not wait still succeeds: fn is not interrupted.
//
// When fn has returned, by a panic too, the task's waits work again. Blocks may be
// nested; the one that is over first counts for the waits in it. A task that is
// cancelled gets context.Canceled, in time or late. The limit is the task's: tasks
// that fn starts don't have it.
//
// A function in Offload or Compute has a context with this deadline, and its error
// counts as a timeout if it is context.DeadlineExceeded. Only a task may call
// WithTimeout, others get ErrNotTask; it parks if fn does. It does not allocate, but
// once for each task and for such contexts.
func (l *Loop) WithTimeout(d time.Duration, fn func() error) error {
	if err := l.checkCall(fn != nil, "Loop.WithTimeout"); err != nil {
		return err
	}
	return l.engine().WithTimeout(d, fn)
}

// WithContext calls fn and returns its error. Waits inside fn that last until ctx is done,
// and those that begin later, fail as in a WithTimeout, with the context's error:
// errors.Is finds context.Canceled, or context.DeadlineExceeded and
// os.ErrDeadlineExceeded, and the cause if ctx has one.
//
// All that is said of WithTimeout holds: the blocks may be nested with those, the one
// that is over first counts, and fn is not interrupted. Loop.Context in fn, which Offload
// and Compute have too, is derived from ctx, has its values, and is done when the task's
// is as well.
//
// Only a task may call it, others get ErrNotTask; it parks if fn does. If ctx is nil,
// context.Background or the task's Loop.Context, fn is called and nothing else. One that
// can't be done ends nothing, and gives its values. The end of others reaches the loop as
// mail: from another thread, a little later. What fn starts has the values, and not the end.
func (l *Loop) WithContext(ctx context.Context, fn func() error) error {
	if err := l.checkCall(fn != nil, "Loop.WithContext"); err != nil {
		return err
	}
	return l.engine().WithContext(ctx, fn)
}
