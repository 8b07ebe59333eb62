package loop

import (
	"context"
	"slices"
	"time"
)

// stagedEnd is what a task's context on a stage is a child of, and ends it. Package context cannot be told that a
// time of another clock than Go's has passed: a cancel function says Canceled, to all children. But it asks a parent
// that is none of its own, by the method AfterFunc, to call a function at its end, which takes the error from there.
// Everything derived from the context then gets that error, at once.
//
// Of contexts that the program has made, around which or in which a limit is, nobody is told at once: package context
// has no way to, but for a goroutine. Such a one ends what follows it between two turns.
//
// It belongs to the stage's thread: what others ask is of the context, which is package context's own.
type stagedEnd struct {
	context.Context // whose values it has
	at              time.Time
	err             error

	ctx    context.Context // its only child
	called func()          // ends that with err
	cancel func()          // would with Canceled
	inner  []*stagedEnd    // those that end when it does
	leaves []func()        // let go of those that it follows, and of the clock
}

// stagedKey has a context's Value give its stagedEnd.
type stagedKey struct{}

// stagedOpen is never closed: package context asks a parent for a channel, to see that its end isn't that of a context
// around it, and waits for none that has an AfterFunc.
var stagedOpen = make(chan struct{})

// Done is for package context.
func (e *stagedEnd) Done() <-chan struct{} { return stagedOpen }

// Err is how it has ended.
func (e *stagedEnd) Err() error { return e.err }

// Value has itself beside what the context around it has.
func (e *stagedEnd) Value(key any) any {
	if key == (stagedKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// Deadline is by the stage's clock.
func (e *stagedEnd) Deadline() (time.Time, bool) {
	outer, ok := e.Context.Deadline()
	if ok && (e.at.IsZero() || outer.Before(e.at)) {
		return outer, true
	}
	return e.at, !e.at.IsZero()
}

// AfterFunc keeps the function for the end. ctx is never cancelled but by that, so nobody takes it back.
func (e *stagedEnd) AfterFunc(fn func()) (stop func() bool) {
	e.called = fn
	return func() bool { return false }
}

// end ends the context, and those in it.
func (e *stagedEnd) end(err error) {
	if e.err != nil {
		return
	}
	e.err = err
	e.called()
	e.cancel() // is of no effect by now, and lets go
	inner := e.inner
	e.inner = nil
	for _, in := range inner {
		in.end(err)
	}
	for _, leave := range e.leaves {
		leave()
	}
}

// follow has it end as ctx does.
func (e *stagedEnd) follow(l *Loop, ctx context.Context) {
	outer := stagedEndOf(ctx)
	switch {
	case e.err != nil:
	case ctx.Err() != nil:
		e.end(ctx.Err())
	case outer != nil:
		outer.inner = append(outer.inner, e)
		e.leaves = append(e.leaves, func() {
			if i := slices.Index(outer.inner, e); i >= 0 {
				outer.inner = slices.Delete(outer.inner, i, i+1)
			}
		})
	default:
		stop := l.AfterContext(ctx, func() { e.end(ctx.Err()) })
		e.leaves = append(e.leaves, func() { stop() })
	}
}

// canceled is its cancel function.
func (e *stagedEnd) canceled() { e.end(context.Canceled) }

// newStagedEnd makes one of base; no cancel of that reaches it.
func newStagedEnd(base context.Context, at time.Time) *stagedEnd {
	e := &stagedEnd{Context: base, at: at}
	e.ctx, e.cancel = context.WithCancel(e)
	return e
}

// stagedEndOf is that of a context that newStagedEnd has made, and of no other.
func stagedEndOf(ctx context.Context) *stagedEnd {
	if e, ok := ctx.Value(stagedKey{}).(*stagedEnd); ok && e.ctx == ctx {
		return e
	}
	return nil
}

// withCancel is context.WithCancel for a base that nothing ends.
func (l *Loop) withCancel(base context.Context) (context.Context, context.CancelFunc) {
	if !l.Staged() {
		return context.WithCancel(base)
	}
	e := newStagedEnd(base, time.Time{})
	return e.ctx, e.canceled
}

// withTimeout is context.WithTimeout by the loop's clock.
func (l *Loop) withTimeout(base context.Context, d time.Duration) (context.Context, func()) {
	if !l.Staged() {
		return context.WithTimeout(base, d)
	}
	e := newStagedEnd(base, l.cfg.Clock().Add(d))
	e.follow(l, base)
	switch {
	case e.err != nil:
	case d <= 0:
		e.end(context.DeadlineExceeded)
	default:
		stop := l.cfg.Stage.After(d, func() {
			if err := base.Err(); err != nil { // in this turn
				e.end(err)
			}
			e.end(context.DeadlineExceeded)
		})
		e.leaves = append(e.leaves, func() { stop() })
	}
	return e.ctx, e.canceled
}

// withDeadline is context.WithDeadline by the loop's clock.
func (l *Loop) withDeadline(base context.Context, at time.Time) (context.Context, func()) {
	if !l.Staged() {
		return context.WithDeadline(base, at)
	}
	return l.withTimeout(base, at.Sub(l.cfg.Clock()))
}

// joinStaged is joinContexts on a stage where the other has limits of time by its clock; false elsewhere.
func (l *Loop) joinStaged(one, other context.Context) (ctx context.Context, cancel func(), ok bool) {
	at, limited := other.Deadline()
	if !l.Staged() || !limited || stagedEndOf(other) == nil {
		return nil, nil, false
	}
	e := newStagedEnd(joinValues(one, other), at)
	e.follow(l, one)
	e.follow(l, other)
	return e.ctx, e.canceled, true
}
