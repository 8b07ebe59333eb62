package loop

import (
	"context"
	"errors"
	"os"
	"reflect"
	"time"

	"ringo/internal/timer"
)

// limit is a WithTimeout or WithContext that a task is in. Only the loop's thread may use it, apart from the AfterFunc
// of a context.
type limit struct {
	l      *Loop
	task   *Task  // nil once fn has returned
	outer  *limit // the next block that was begun earlier
	passed int    // when it passed, as a place among the limits of its task, from 1; 0 if it has not

	at    int64 // the end of a WithTimeout
	timer timer.Timer
	given context.Context // the context of a WithContext
	tell  func()          // sends contextDone to the loop; made once
	stop  func() bool     // ends the AfterContext of given

	ctx    context.Context // made when a caller asks for it
	cancel func()
	values *values // of a WithContext: see inBlock
}

// WithTimeout calls fn, and makes the waits in it fail from d on, as a cancel does, but only until fn returns. T, may
// park.
func (l *Loop) WithTimeout(d time.Duration, fn func() error) error {
	b := l.kept.limits.get()
	b.begin(l, d)
	defer b.end()
	return fn()
}

// WithContext is WithTimeout with a context in place of the time. T, may park.
func (l *Loop) WithContext(ctx context.Context, fn func() error) error {
	if ctx == nil || l.cur.isIn(ctx) {
		return fn()
	}
	b := l.kept.limits.get()
	b.beginContext(l, ctx)
	defer b.end()
	return fn()
}

func (b *limit) begin(l *Loop, d time.Duration) {
	b.link(l)
	b.timer.Owner = b
	l.tick()
	b.at = l.After(d)
	if d <= 0 {
		b.pass()
		return
	}
	l.timers.Arm(&b.timer, b.at)
}

func (b *limit) beginContext(l *Loop, ctx context.Context) {
	b.link(l)
	b.given = ctx
	if ctx.Err() != nil {
		b.pass()
		return
	}
	if !tells(ctx) && ctx.Done() == nil {
		return // it has only values
	}
	if b.tell == nil {
		b.tell = func() { l.send(message{kind: msgLimit, fn: b.contextDone}) }
	}
	b.stop = l.set.world.AfterContext(ctx, b.tell)
}

// tells reports whether a context has an AfterFunc of its own, so that its Done channel need not be made.
func tells(ctx context.Context) bool {
	_, ok := ctx.(interface{ AfterFunc(func()) func() bool })
	return ok
}

func (b *limit) link(l *Loop) {
	x := l.cur.extension()
	b.l, b.task = l, l.cur
	b.outer, x.limit = x.limit, b
}

// pass marks the limit as passed, so that the task's waits fail.
func (b *limit) pass() {
	x := b.task.extension()
	x.passes++
	b.passed, b.task.expired = x.passes, true
}

// Fire makes the limit pass, and ends the task's present wait.
func (b *limit) Fire(*timer.Timer) {
	b.pass()
	b.task.interrupt()
}

// contextDone does what Fire does, unless fn has returned or the limit has passed.
func (b *limit) contextDone() {
	if b.task != nil && b.passed == 0 {
		b.Fire(nil)
	}
}

// lookAtContexts makes all limits pass whose contexts are done. Tasks call it when they know that a context is done,
// while the mail or the timer that says so may be on its way.
func (x *taskExt) lookAtContexts() {
	for b := x.limit; b != nil; b = b.outer {
		ctx := b.given
		if ctx == nil && b.at <= b.l.Elapsed() { // its own time is over, and not only that of a block around it
			ctx = b.ctx
		}
		if ctx != nil && b.passed == 0 && ctx.Err() != nil {
			b.pass()
		}
	}
}

// end takes the limit away. The block need not be the one that was begun last: an iterator can begin a block, yield,
// and end the block when it is resumed, even by another task.
func (b *limit) end() {
	t := b.task
	if t == nil {
		return // the task that began it has ended
	}
	t.expired = false
	for p := &t.extension().limit; *p != nil; {
		if *p == b {
			*p = b.outer
			continue
		}
		t.expired = t.expired || (*p).passed > 0
		p = &(*p).outer
	}
	b.let()
}

// let drops all references of the limit and to it, and keeps it for the next use if it can.
func (b *limit) let() {
	b.l.timers.Disarm(&b.timer)
	if b.cancel != nil {
		b.cancel()
	}
	b.task, b.outer, b.passed, b.ctx, b.cancel, b.values = nil, nil, 0, nil, nil, nil
	stop := b.stop
	if b.given, b.stop = nil, nil; stop != nil && !stop() {
		b.l.timers.Remove(&b.timer) // which an earlier use may have left in the heap
		return                      // contextDone may be on its way, and must not find the limit in another use
	}
	// An entry of its timer stays in the heap, and the next use moves it: that costs less than to remove it and add it
	// again.
	if !b.l.kept.limits.put(b) {
		b.l.timers.Remove(&b.timer)
	}
}

// dropLimits ends the blocks of a task that has ended inside them: it called Goexit, or left an iterator unfinished.
// Another task may resume that iterator, so these limits are not used again.
func (x *taskExt) dropLimits() {
	for b := x.limit; b != nil; {
		outer := b.outer
		b.l.timers.Remove(&b.timer)
		if b.stop != nil {
			b.stop()
		}
		if b.cancel != nil {
			b.cancel()
		}
		b.task, b.outer = nil, nil
		b = outer
	}
	x.limit = nil
}

// cause returns why the waits of a task fail whose limits have passed: the one that passed first counts.
func (x *taskExt) cause() error {
	var first *limit
	for b := x.limit; b != nil; b = b.outer {
		if b.passed > 0 && (first == nil || b.passed < first.passed) {
			first = b
		}
	}
	if first == nil || first.given == nil {
		return os.ErrDeadlineExceeded
	}
	return ContextError(first.given)
}

// context derives from base a context with the limits of the block and of the blocks around it.
func (b *limit) context(base context.Context) context.Context {
	if b.ctx != nil {
		return b.ctx
	}
	if b.outer != nil {
		base = b.outer.context(base)
	}
	if b.given != nil {
		b.ctx, b.cancel = joinContexts(b.l, b.given, base, b.task.inBlock(b))
	} else {
		b.ctx, b.cancel = b.l.set.world.WithDeadline(b.l, base,
			b.l.cfg.Clock().Add(time.Duration(b.at-b.l.set.elapsed())))
	}
	return b.ctx
}

// inBlock returns the values that the task has in the block; b is nil outside of blocks. It asks no context for its
// end: one may start a task when asked for the first time, under a lock of its own, and that task inherits these
// values.
func (t *Task) inBlock(b *limit) *values {
	switch {
	case b == nil:
		return t.base()
	case b.given == nil:
		return t.inBlock(b.outer)
	case b.values == nil:
		b.values = t.inBlock(b.outer).with(b.given)
	}
	return b.values
}

// mayEndBy reports whether ctx can end a wait of the task's that nothing else ends; t is nil for a goroutine. The
// task's own contexts can't: they end with the task's cancel or limits, which end its waits anyway.
func (t *Task) mayEndBy(ctx context.Context) bool {
	if ctx == nil {
		return false
	}
	if t != nil {
		if x := t.ext.Load(); x != nil && x.owns(ctx) {
			return false
		}
	}
	return ctx.Done() != nil
}

func (x *taskExt) owns(ctx context.Context) bool {
	if ctx == x.ctx {
		return true
	}
	for b := x.limit; b != nil; b = b.outer {
		if ctx == b.ctx || same(ctx, b.given) {
			return true
		}
	}
	return false
}

// isIn reports whether a WithContext of ctx would change nothing: it would end no wait earlier, and add no values.
func (t *Task) isIn(ctx context.Context) bool {
	if ctx == context.Background() || ctx == context.TODO() {
		return true
	}
	x := t.ext.Load()
	if x == nil {
		return false
	}
	for b := x.limit; b != nil; b = b.outer {
		if ctx == b.ctx || same(ctx, b.given) {
			return true
		}
		if b.given != nil {
			return false // its values would come first
		}
	}
	return ctx == x.ctx
}

// same reports whether two of the program's contexts are the same. Contexts that can't be compared are not.
func same(a, b context.Context) bool { return b != nil && reflect.ValueOf(a).Comparable() && a == b }

// lateError is the error of a call that its context's deadline has ended. It is an os.ErrDeadlineExceeded, as the
// error of each wait in a WithTimeout is.
type lateError struct{ error }

// late wraps the error of a call in a lateError, if the call failed because the deadline of ctx had passed.
func late(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != context.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return lateError{err}
}

// Is reports true for os.ErrDeadlineExceeded.
func (lateError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Unwrap returns the call's error.
func (e lateError) Unwrap() error { return e.error }

// Timeout reports true.
func (lateError) Timeout() bool { return true }
