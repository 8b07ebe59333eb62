package loop

import (
	"context"
	"errors"
	"os"
	"time"

	"ringo/internal/timer"
)

// timeout is a WithTimeout that a task is in.
type timeout struct {
	l      *Loop
	task   *Task
	outer  *timeout // the next one that was begun earlier
	at     int64
	timer  timer.Timer
	passed bool

	ctx    context.Context // for those who ask
	cancel context.CancelFunc
}

// WithTimeout calls fn, and makes the waits in it fail from d on, as a cancel does
// but only until fn returns. T, may park.
func (l *Loop) WithTimeout(d time.Duration, fn func() error) error {
	b := l.timeouts.get()
	if b == nil {
		b = new(timeout)
	}
	b.begin(l, d)
	defer b.end()
	return fn()
}

func (b *timeout) begin(l *Loop, d time.Duration) {
	t := l.cur
	x := t.extension()
	b.l, b.task = l, t
	b.outer, x.limit = x.limit, b
	b.timer.Owner = b
	l.tick()
	b.at = l.After(d)
	if d <= 0 {
		b.passed, t.expired = true, true
		return
	}
	l.Arm(&b.timer, b.at)
}

// Fire ends what the task waits for.
func (b *timeout) Fire(*timer.Timer) {
	b.passed, b.task.expired = true, true
	b.task.interrupt()
}

// end takes the condition back. The block need not be the last that was begun: an
// iterator can begin one, yield, and end it when it is resumed.
func (b *timeout) end() {
	b.l.Disarm(&b.timer)
	t := b.task
	t.expired = false
	for p := &t.extension().limit; *p != nil; {
		if *p == b {
			*p = b.outer
			continue
		}
		t.expired = t.expired || (*p).passed
		p = &(*p).outer
	}
	if b.cancel != nil {
		b.cancel()
	}
	b.task, b.outer, b.passed, b.ctx, b.cancel = nil, nil, false, nil, nil
	// A timer that has an entry in the heap stays there and is moved, which costs less than
	// taking it out.
	if !b.l.timeouts.put(b) {
		b.l.RemoveTimer(&b.timer)
	}
}

// context gives base the limits of the block and of those around it.
func (b *timeout) context(base context.Context) context.Context {
	if b.ctx == nil {
		if b.outer != nil {
			base = b.outer.context(base)
		}
		b.ctx, b.cancel = context.WithTimeout(base, time.Duration(b.at-b.l.set.elapsed()))
	}
	return b.ctx
}

// lateError is the error of a call that saw the end of its context, in words that
// hold for every wait in a WithTimeout.
type lateError struct{ error }

// late turns what a call gave that was told by ctx that its time is over.
func late(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != context.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return lateError{err}
}

// Is finds os.ErrDeadlineExceeded in it.
func (lateError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Unwrap gives what the call gave.
func (e lateError) Unwrap() error { return e.error }

// Timeout says that it is one.
func (lateError) Timeout() bool { return true }
