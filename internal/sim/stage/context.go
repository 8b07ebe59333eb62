package stage

import (
	"context"
	"slices"
	"time"

	"ringo/internal/loop"
)

// end is the parent of a task's context on a stage, and ends it. Package context can't be told that a time of another
// clock than Go's has passed: a cancel function passes Canceled to all children. But for a parent that is not its own,
// it calls the parent's method AfterFunc with a function to call at the end, which takes the error from the parent.
// Everything derived from the context then gets that error, at once.
//
// If the program has made a context around an end, or around a limit, the end is not told at once when that context
// ends: package context could do so only by a goroutine. Such a context ends those that follow it between two turns.
//
// It belongs to the stage's thread: other callers use only the context, which is package context's own.
type end struct {
	context.Context // whose values it has
	at              time.Time
	err             error

	ctx    context.Context // its only child
	called func()          // ends ctx with err
	cancel func()          // would end ctx with Canceled
	inner  []*end          // the ends that end with this one
	leaves []func()        // detach it from the ends that it follows, and from the clock
}

// endKey is the key under which a context's Value returns its end.
type endKey struct{}

// open is never closed: package context asks a parent for its channel, to see whether the end is that of a context
// around it, but does not wait for it if the parent has an AfterFunc.
var open = make(chan struct{})

// Done returns a channel for package context, which never waits for it.
func (e *end) Done() <-chan struct{} { return open }

// Err returns the error with which it has ended.
func (e *end) Err() error { return e.err }

// Value returns the end itself for endKey, and otherwise the value of the context around it.
func (e *end) Value(key any) any {
	if key == (endKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// Deadline returns the earlier one of its own and the outer deadline, by the stage's clock.
func (e *end) Deadline() (time.Time, bool) {
	outer, ok := e.Context.Deadline()
	if ok && (e.at.IsZero() || outer.Before(e.at)) {
		return outer, true
	}
	return e.at, !e.at.IsZero()
}

// AfterFunc keeps fn for the end. Only this end cancels ctx, so stop is never needed.
func (e *end) AfterFunc(fn func()) (stop func() bool) {
	e.called = fn
	return func() bool { return false }
}

// end ends the context, and those in it.
func (e *end) end(err error) {
	if e.err != nil {
		return
	}
	e.err = err
	e.called()
	e.cancel() // has no effect now, but releases ctx's resources
	inner := e.inner
	e.inner = nil
	for _, in := range inner {
		in.end(err)
	}
	for _, leave := range e.leaves {
		leave()
	}
}

// follow makes it end when ctx does.
func (e *end) follow(s *Stage, ctx context.Context) {
	outer := endOf(ctx)
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
		stop := s.AfterContext(ctx, func() { e.end(ctx.Err()) })
		e.leaves = append(e.leaves, func() { stop() })
	}
}

// canceled is the cancel function of its context.
func (e *end) canceled() { e.end(context.Canceled) }

// newEnd makes an end around base's values; a cancel of base does not reach it.
func newEnd(base context.Context, at time.Time) *end {
	e := &end{Context: base, at: at}
	e.ctx, e.cancel = context.WithCancel(e)
	return e
}

// endOf returns the end of a context that newEnd has made, nil for other contexts.
func endOf(ctx context.Context) *end {
	if e, ok := ctx.Value(endKey{}).(*end); ok && e.ctx == ctx {
		return e
	}
	return nil
}

// WithCancel is for a base that never ends.
func (s *Stage) WithCancel(base context.Context) (context.Context, context.CancelFunc) {
	e := newEnd(base, time.Time{})
	return e.ctx, e.canceled
}

// WithDeadline uses the loop's clock.
func (s *Stage) WithDeadline(l *loop.Loop, base context.Context, at time.Time) (context.Context, context.CancelFunc) {
	e := newEnd(base, at)
	e.follow(s, base)
	d := at.Sub(l.Config().Clock())
	switch {
	case e.err != nil:
	case d <= 0:
		e.end(context.DeadlineExceeded)
	default:
		stop := s.After(d, func() {
			if err := base.Err(); err != nil { // base has ended in this turn
				e.end(err)
			}
			e.end(context.DeadlineExceeded)
		})
		e.leaves = append(e.leaves, func() { stop() })
	}
	return e.ctx, e.canceled
}

// Join is for an other whose time limits are by the stage's clock.
func (s *Stage) Join(_ *loop.Loop, base, one, other context.Context) (context.Context, context.CancelFunc) {
	at, limited := other.Deadline()
	if !limited || endOf(other) == nil {
		return nil, nil
	}
	e := newEnd(base, at)
	e.follow(s, one)
	e.follow(s, other)
	return e.ctx, e.canceled
}

// watched is a context, and the function to call when it ends.
type watched struct {
	ctx context.Context
	fn  func()
}

// AfterContext calls fn between turns, once ctx has ended.
func (s *Stage) AfterContext(ctx context.Context, fn func()) (stop func() bool) {
	if s.beside != nil {
		return s.beside.afterContext(ctx, fn)
	}
	ctx.Done() // some contexts check for their end only once Done was called
	w := &watched{ctx, fn}
	s.watched = append(s.watched, w)
	return func() bool {
		i := slices.Index(s.watched, w)
		if i >= 0 {
			s.watched = slices.Delete(s.watched, i, i+1)
		}
		return i >= 0
	}
}

// lookAtContexts calls the functions of watched contexts that have ended.
func (s *Stage) lookAtContexts() {
	for i := 0; i < len(s.watched); {
		w := s.watched[i]
		if w.ctx.Err() == nil {
			i++
			continue
		}
		s.watched = slices.Delete(s.watched, i, i+1)
		w.fn()
		i = 0 // fn may have ended other contexts
	}
}
