package loop

import (
	"context"
	"errors"
	"os"
	"reflect"
	"time"

	"ringo/internal/timer"
)

// limit is a WithTimeout or WithContext that a task is in. All but the AfterFunc of a context is the loop thread's
// business.
type limit struct {
	l      *Loop
	task   *Task  // nil once fn has returned
	outer  *limit // the next one that was begun earlier
	passed int    // its place among those of its task that have, from 1 on

	at    int64 // of a WithTimeout
	timer timer.Timer
	given context.Context // of a WithContext
	tell  func()          // then: says that it is done; made once
	stop  func() bool     // ends the AfterContext of that

	ctx    context.Context // for those who ask
	cancel func()
	values context.Context // of a WithContext, for those who start here: see valuesNow
}

// WithTimeout calls fn, and makes the waits in it fail from d on, as a cancel does
// but only until fn returns. T, may park.
func (l *Loop) WithTimeout(d time.Duration, fn func() error) error {
	b := l.takeLimit()
	b.begin(l, d)
	defer b.end()
	return fn()
}

// WithContext is WithTimeout with a context in the place of the time. T, may park.
func (l *Loop) WithContext(ctx context.Context, fn func() error) error {
	if ctx == nil || l.cur.isIn(ctx) {
		return fn()
	}
	b := l.takeLimit()
	b.beginContext(l, ctx)
	defer b.end()
	return fn()
}

// takeLimit gives one that is in no use.
func (l *Loop) takeLimit() *limit {
	if b := l.kept.limits.get(); b != nil {
		return b
	}
	return new(limit)
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
		return // it has values alone
	}
	if b.tell == nil {
		b.tell = func() { l.send(message{kind: msgLimit, fn: b.contextDone}) }
	}
	b.stop = l.set.world.AfterContext(ctx, b.tell)
}

// tells reports whether a context says by itself that it is done, to whom its Done need not be made.
func tells(ctx context.Context) bool {
	_, ok := ctx.(interface{ AfterFunc(func()) func() bool })
	return ok
}

func (b *limit) link(l *Loop) {
	x := l.cur.extension()
	b.l, b.task = l, l.cur
	b.outer, x.limit = x.limit, b
}

// pass makes the task's waits fail.
func (b *limit) pass() {
	x := b.task.extension()
	x.passes++
	b.passed, b.task.expired = x.passes, true
}

// Fire ends what the task waits for.
func (b *limit) Fire(*timer.Timer) {
	b.pass()
	b.task.interrupt()
}

// contextDone does so if fn has not returned yet, and nobody has looked before.
func (b *limit) contextDone() {
	if b.task != nil && b.passed == 0 {
		b.Fire(nil)
	}
}

// lookAtContexts lets those limits pass whose contexts are done. It is for a task that knows that one is, while the
// mail or the timer that says so may be on its way.
func (x *taskExt) lookAtContexts() {
	for b := x.limit; b != nil; b = b.outer {
		ctx := b.given
		if ctx == nil && b.at <= b.l.Elapsed() { // not because of what is around it
			ctx = b.ctx
		}
		if ctx != nil && b.passed == 0 && ctx.Err() != nil {
			b.pass()
		}
	}
}

// end takes the condition back. The block need not be the last that was begun: an
// iterator can begin one, yield, and end it when it is resumed, by another task too.
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

// let lets go of all that the block refers to, and that refers to it.
func (b *limit) let() {
	b.l.timers.Disarm(&b.timer)
	if b.cancel != nil {
		b.cancel()
	}
	b.task, b.outer, b.passed, b.ctx, b.cancel, b.values = nil, nil, 0, nil, nil, nil
	stop := b.stop
	if b.given, b.stop = nil, nil; stop != nil && !stop() {
		return // what tells of its context's end may be on its way, and is not to find another's
	}
	// A timer that has an entry in the heap stays there and is moved, which costs less than
	// taking it out.
	if !b.l.kept.limits.put(b) {
		b.l.timers.Remove(&b.timer)
	}
}

// dropLimits ends the blocks of a task that has ended in them: it called Goexit, or an iterator was left where it
// stood. That one may go on in another task, so such a block is not used again.
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

// cause is why the waits fail of a task whose limit has passed: the first that did counts.
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

// context gives base the limits of the block and of those around it.
func (b *limit) context(base context.Context) context.Context {
	if b.ctx != nil {
		return b.ctx
	}
	if b.outer != nil {
		base = b.outer.context(base)
	}
	if b.given != nil {
		b.ctx, b.cancel = joinContexts(b.l, b.given, base)
	} else {
		b.ctx, b.cancel = b.l.set.world.WithDeadline(b.l, base,
			b.l.cfg.Clock().Add(time.Duration(b.at-b.l.set.elapsed())))
	}
	return b.ctx
}

// valuesNow are those of t's context that are not Run's, without its end; nil if there are none. A WithContext that t
// is in makes them once.
func (x *taskExt) valuesNow(t *Task) context.Context {
	for b := x.limit; b != nil; b = b.outer {
		if b.given == nil {
			continue
		}
		if b.values == nil {
			b.values = context.WithoutCancel(b.over(t.own(x)))
		}
		return b.values
	}
	return x.values
}

// over gives base the values of the block's context and of those around it. It asks none of them for its end: one may
// start a task when it is first asked, under a lock of its own, and that task's values are these.
func (b *limit) over(base context.Context) context.Context {
	if b.outer != nil {
		base = b.outer.over(base)
	}
	if b.given == nil {
		return base
	}
	return joinValues(b.given, base)
}

// mayEndBy reports whether ctx can end a wait of the task's that nothing else ends; t may be nil, for a goroutine. A
// context of the task's own ends its waits without being told.
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

// isIn reports whether ctx would neither end a wait of the task's that nothing else ends nor give it other values.
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
			return false // whose values come first
		}
	}
	return ctx == x.ctx
}

// same reports whether two contexts of the program's are one, where Go can tell: what is no pointer need not be
// comparable.
func same(a, b context.Context) bool { return b != nil && reflect.ValueOf(a).Comparable() && a == b }

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
