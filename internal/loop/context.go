package loop

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// ParkContext is Park for a wait that the end of ctx ends, too, if ctx is not nil. An error says what has ended the
// wait; nothing was handed over then. Only the caller that began p may call it.
//
// The context may end at any time, on a thread of its own, while p is used for wait after wait. So a contextEnd, which
// is never reused, stands between them: it refers to p only while the caller waits.
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
	p  *Parker // nil once the wait is over
}

// end claims the Parker, if no other caller has. After the claim p stays valid until the Wake, which needs no lock.
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

// ContextError returns the error of a wait that the end of ctx has ended. errors.Is finds in it ctx.Err, the cause if
// there is one, and os.ErrDeadlineExceeded if a deadline has passed. G.
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

// causeError is the error of a context that was ended with a cause.
type causeError struct{ end, cause error }

// Error returns both texts.
func (e *causeError) Error() string { return e.end.Error() + ": " + e.cause.Error() }

// Unwrap returns both errors.
func (e *causeError) Unwrap() []error { return []error{e.end, e.cause} }

// Is reports true for os.ErrDeadlineExceeded if a deadline has passed.
func (e *causeError) Is(target error) bool { return target == os.ErrDeadlineExceeded && e.Timeout() }

// Timeout reports whether a deadline has passed.
func (e *causeError) Timeout() bool { return e.end == context.DeadlineExceeded }

// joinContexts derives from two contexts one that has the given values, and is done when the first of them is.
func joinContexts(l *Loop, one, other context.Context, v *values) (ctx context.Context, cancel func()) {
	world := l.set.world
	if ctx, cancel := world.Join(l, &blockContext{one, v}, one, other); ctx != nil {
		return ctx, cancel
	}
	release := context.CancelFunc(func() {})
	at, tells := other.Deadline()
	if tells {
		one, release = world.WithDeadline(l, one, at)
	}
	inner, end := context.WithCancelCause(one)
	stop := world.AfterContext(other, func() {
		if tells && other.Err() == context.DeadlineExceeded {
			return // one has that deadline, too, and reports it as such
		}
		end(context.Cause(other))
	})
	return &blockContext{inner, v}, func() { stop(); end(nil); release() }
}
