package stage

import (
	"context"
	"slices"
	"time"

	"ringo/internal/loop"
)

// end is what a task's context on a stage is a child of, and ends it. Package context cannot be told that a
// time of another clock than Go's has passed: a cancel function says Canceled, to all children. But it asks a parent
// that is none of its own, by the method AfterFunc, to call a function at its end, which takes the error from there.
// Everything derived from the context then gets that error, at once.
//
// Of contexts that the program has made, around which or in which a limit is, nobody is told at once: package context
// has no way to, but for a goroutine. Such a one ends what follows it between two turns.
//
// It belongs to the stage's thread: what others ask is of the context, which is package context's own.
type end struct {
	context.Context // whose values it has
	at              time.Time
	err             error

	ctx    context.Context // its only child
	called func()          // ends that with err
	cancel func()          // would with Canceled
	inner  []*end          // those that end when it does
	leaves []func()        // let go of those that it follows, and of the clock
}

// endKey has a context's Value give its end.
type endKey struct{}

// open is never closed: package context asks a parent for a channel, to see that its end isn't that of a context
// around it, and waits for none that has an AfterFunc.
var open = make(chan struct{})

// Done is for package context.
func (e *end) Done() <-chan struct{} { return open }

// Err is how it has ended.
func (e *end) Err() error { return e.err }

// Value has itself beside what the context around it has.
func (e *end) Value(key any) any {
	if key == (endKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// Deadline is by the stage's clock.
func (e *end) Deadline() (time.Time, bool) {
	outer, ok := e.Context.Deadline()
	if ok && (e.at.IsZero() || outer.Before(e.at)) {
		return outer, true
	}
	return e.at, !e.at.IsZero()
}

// AfterFunc keeps the function for the end. ctx is never cancelled but by that, so nobody takes it back.
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

// canceled is its cancel function.
func (e *end) canceled() { e.end(context.Canceled) }

// newEnd makes one of base; no cancel of that reaches it.
func newEnd(base context.Context, at time.Time) *end {
	e := &end{Context: base, at: at}
	e.ctx, e.cancel = context.WithCancel(e)
	return e
}

// endOf is that of a context that newEnd has made, and of no other.
func endOf(ctx context.Context) *end {
	if e, ok := ctx.Value(endKey{}).(*end); ok && e.ctx == ctx {
		return e
	}
	return nil
}

// WithCancel is for a base that nothing ends.
func (s *Stage) WithCancel(base context.Context) (context.Context, context.CancelFunc) {
	e := newEnd(base, time.Time{})
	return e.ctx, e.canceled
}

// WithDeadline is by the loop's clock.
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
			if err := base.Err(); err != nil { // in this turn
				e.end(err)
			}
			e.end(context.DeadlineExceeded)
		})
		e.leaves = append(e.leaves, func() { stop() })
	}
	return e.ctx, e.canceled
}

// Join is for an other that has limits of time by the stage's clock.
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

// watched is a context whose end somebody waits for.
type watched struct {
	ctx context.Context
	fn  func()
}

// AfterContext has fn called between turns.
func (s *Stage) AfterContext(ctx context.Context, fn func()) (stop func() bool) {
	if s.beside != nil {
		return s.beside.afterContext(ctx, fn)
	}
	ctx.Done() // some look for their end since that was asked for
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

// lookAtContexts tells of those that have ended.
func (s *Stage) lookAtContexts() {
	for i := 0; i < len(s.watched); {
		w := s.watched[i]
		if w.ctx.Err() == nil {
			i++
			continue
		}
		s.watched = slices.Delete(s.watched, i, i+1)
		w.fn()
		i = 0 // it may have ended others
	}
}
