package ringo

import (
	"context"
	"time"
)

// WithTimeout calls fn and returns its error. Once d has passed, present and later waits inside fn fail with a timeout:
// an error whose Timeout method returns true and that matches os.ErrDeadlineExceeded (errors.Is). This applies to every
// wait that a cancel would end: on connections and listeners, Dial, Sleep, Offload, Compute, Semaphore, Chan, Select,
// and the LockContext and WaitContext methods. fn is not interrupted, and no data is lost. Calls that need not wait
// still succeed, but not for ever: a task that makes many of them in a row yields, after 128 at the latest, and the
// call in which it yields fails. The same holds in a cancelled task. Calls that never wait, such as Chan.TryRecv and
// Mutex.TryLock, don't fail in this way.
//
// When fn has returned or panicked, the task's waits work again. Blocks may be nested; a wait ends with the first of
// the blocks around it to end. A cancelled task gets context.Canceled, before and after the timeout. The limit applies
// to this task only, not to tasks that fn starts.
//
// A function in Offload or Compute gets a context with this deadline, and its error counts as a timeout if it is
// context.DeadlineExceeded. Only a task may call WithTimeout; it parks if fn does. It allocates only once for each task
// and for such contexts.
func (l *Loop) WithTimeout(d time.Duration, fn func() error) error {
	e := l.task("Loop.WithTimeout")
	wantFunc(fn != nil, "Loop.WithTimeout")
	return e.WithTimeout(d, fn)
}

// WithContext calls fn and returns its error. Once ctx is done, present and later waits inside fn fail as in a
// WithTimeout, with the context's error, which matches context.Canceled, or context.DeadlineExceeded and
// os.ErrDeadlineExceeded, and the cause if ctx has one (errors.Is).
//
// As with WithTimeout, blocks of both kinds may be nested, a wait ends with the first of the blocks around it to end,
// and fn is not interrupted. Inside fn, Loop.Context and the context of Offload and Compute are derived from ctx, have
// its values, and are also done when the task's context is.
//
// Only a task may call it; it parks if fn does. If ctx is nil, context.Background or the task's Loop.Context,
// WithContext only calls fn. A context that can't be done only adds its values. The end of any other context reaches
// the loop from another thread, a little later. Tasks that fn starts have ctx's values but do not end with it. A task
// has the values of at most 32 contexts of such blocks, the last ones: tasks that start their successors in blocks pass
// on no more.
func (l *Loop) WithContext(ctx context.Context, fn func() error) error {
	e := l.task("Loop.WithContext")
	wantFunc(fn != nil, "Loop.WithContext")
	return e.WithContext(ctx, fn)
}
