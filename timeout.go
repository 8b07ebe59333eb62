package ringo

import "time"

// WithTimeout calls fn and returns its error. Waits inside fn that last until d has
// passed, and those that begin later, fail with an error that is a timeout: its
// Timeout method says so, and errors.Is finds os.ErrDeadlineExceeded. That holds for
// every wait that a cancel would end: on connections and listeners, Dial, Sleep,
// Offload, Compute, Mutex, Semaphore, Cond, Chan and Select. What fn has got by then
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
