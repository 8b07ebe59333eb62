package loop

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// ParkContext is Park for a wait that ctx ends, too, if it is not nil. The error is what ended it, and then nobody has
// handed anything over. Only for who began it.
//
// The context's end comes on a thread of its own, at any time. Between it and p, which is used again, stands a
// contextEnd, which is not: it knows p for as long as the caller waits.
func (p *Parker) ParkContext(ctx context.Context) (which int, err error) {
	if ctx != nil && p.t.mayEndBy(ctx) {
		return p.parkUntil(ctx)
	}
	which, ok := p.Park()
	if !ok {
		err = p.l.Cause()
	}
	return which, err
}

func (p *Parker) parkUntil(ctx context.Context) (which int, err error) {
	e := &contextEnd{p: p}
	stop := p.l.World().AfterContext(ctx, e.end)
	which, ok := p.Park()
	if !stop() {
		e.forget()
	}
	switch {
	case ok:
	case atomic.LoadInt32(&p.state) == parkerEnded:
		err = ContextError(ctx)
	default:
		err = p.l.Cause()
	}
	return which, err
}

// contextEnd ends the wait of a Parker when a context is done.
type contextEnd struct {
	mu sync.Mutex
	p  *Parker // nil once it waits no more
}

// end claims the Parker, if nobody has. The claim makes it the caller's until the Wake, so that goes without the lock.
func (e *contextEnd) end() {
	e.mu.Lock()
	p := e.p
	claimed := p != nil && atomic.CompareAndSwapInt32(&p.state, parkerWaits, parkerEnded)
	e.mu.Unlock()
	if claimed {
		p.Wake()
	}
}

func (e *contextEnd) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.p = nil
}

// ContextError is the error of a wait that the end of ctx has ended: errors.Is finds in it what ctx.Err says, the cause
// if one was given, and os.ErrDeadlineExceeded where a deadline has passed. G.
func ContextError(ctx context.Context) error {
	err := ctx.Err()
	cause := context.Cause(ctx)
	switch {
	case cause != err && cause != nil:
		return &causeError{err, cause}
	case err == context.DeadlineExceeded:
		return errLate
	}
	return err
}

var errLate error = lateError{context.DeadlineExceeded}

// causeError is the end of a context with a cause of its own.
type causeError struct{ end, cause error }

// Error says both.
func (e *causeError) Error() string { return e.end.Error() + ": " + e.cause.Error() }

// Unwrap gives both.
func (e *causeError) Unwrap() []error { return []error{e.end, e.cause} }

// Is finds os.ErrDeadlineExceeded in a deadline that has passed.
func (e *causeError) Is(target error) bool { return target == os.ErrDeadlineExceeded && e.Timeout() }

// Timeout reports whether a deadline has passed.
func (e *causeError) Timeout() bool { return e.end == context.DeadlineExceeded }

// joinContexts makes a context of two: with the values of both, and done when the first of them is.
func joinContexts(l *Loop, one, other context.Context) (ctx context.Context, cancel func()) {
	world := l.set.world
	if ctx, cancel := world.Join(l, joinValues(one, other), one, other); ctx != nil {
		return ctx, cancel
	}
	release := context.CancelFunc(func() {})
	if at, ok := other.Deadline(); ok {
		one, release = world.WithDeadline(l, one, at)
	}
	inner, end := context.WithCancelCause(one)
	stop := world.AfterContext(other, func() {
		if other.Err() == context.DeadlineExceeded {
			return // which the one has too, and tells as what it is
		}
		end(context.Cause(other))
	})
	return joinValues(inner, other), func() { stop(); end(nil); release() }
}
