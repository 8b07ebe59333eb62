package retry

import (
	"context"
	"fmt"
	"time"

	"ringo"
	"ringo/internal/caller"
)

// A Hedging configures Hedge. It must not be changed while it is used; any number of callers can share one.
type Hedging struct {
	// After is how long a call may take before another is made beside it: 99 of 100 should be faster, so that there is
	// one call more in a hundred. 0: all are made at once.
	After time.Duration
	// Calls is how many there are at most, the first included; 0: 2.
	Calls int
	// Budget is asked before each further call; nil: none is.
	Budget *Budget
}

// A hedged call's result.
type result[T any] struct {
	v        T
	err      error
	panicked *ringo.PanicError
}

// Hedge calls fn, and once more beside it whenever h.After has passed without a result, or at once when all calls so
// far have failed. It returns the first result without an error, and the last error if all calls fail that h allows. So
// the one server of several that is slow at the moment delays no caller for longer than After; fn must be something
// that may be done twice.
//
// Each call runs in a task of its own on the caller's loop if that is a task, and else on a goroutine. Their contexts
// have the values of ctx, or of the task's if that is nil, and end when Hedge has returned, as do the waits of a task
// in them: what is late ends by itself. If it has a result even so, late is called with it there, to close a
// connection, say; a nil late drops it. If fn panics, Hedge panics with a *ringo.PanicError; if it calls
// runtime.Goexit, the error matches ringo.ErrGoexit.
//
// Hedge also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or WithContext ends,
// with the errors of ringo.Mutex.LockContext. If that has happened before, it makes no call. A nil ctx never ends. It
// panics if h or fn is nil. Any goroutine may call it; a task parks.
func Hedge[T any](ctx context.Context, h *Hedging, fn func(ctx context.Context) (T, error), late func(T)) (v T,
	err error) {
	if h == nil || fn == nil {
		panic("retry: Hedge of a nil Hedging or function")
	}
	if err := caller.Ended(ctx); err != nil {
		return v, err
	}
	most := h.Calls
	if most <= 0 {
		most = 2
	}
	x := &hedge[T]{fn: fn, late: late, results: ringo.NewChan[result[T]](0)}
	defer x.end()
	h.Budget.Call()
	x.begin(ctx)
	for failed := 0; ; {
		r, over, err := x.next(ctx, h, len(x.cancels) < most)
		switch {
		case over:
		case err != nil:
			return v, err
		case r.panicked != nil:
			panic(r.panicked)
		case r.err == nil:
			return r.v, nil
		default:
			if failed++; failed < len(x.cancels) {
				continue
			}
			if err = r.err; len(x.cancels) == most {
				return v, err
			}
		}
		if !h.Budget.Take() {
			if most = len(x.cancels); failed == most {
				return v, err
			}
			continue
		}
		x.begin(ctx)
	}
}

// hedge is one call of Hedge.
type hedge[T any] struct {
	fn      func(context.Context) (T, error)
	late    func(T)
	results *ringo.Chan[result[T]] // closed when nobody waits for more
	cancels []func()
}

// next waits for a result, and if there may be another call, for no longer than After.
func (x *hedge[T]) next(ctx context.Context, h *Hedging, more bool) (r result[T], over bool, err error) {
	recv := func(ctx context.Context) (err error) {
		r, err = x.results.RecvContext(ctx)
		return err
	}
	if more {
		over, err = caller.Within(ctx, h.After, recv)
	} else {
		err = caller.In(ctx, recv)
	}
	return r, over, err
}

// begin begins a call.
func (x *hedge[T]) begin(ctx context.Context) {
	if l := caller.Here(); l != nil && ctx == nil {
		ctx = l.Context()
	}
	x.cancels = append(x.cancels, caller.Begin(ctx, x.call))
}

// call is one call.
func (x *hedge[T]) call(ctx context.Context) {
	r := result[T]{err: fmt.Errorf("retry: %w", ringo.ErrGoexit)}
	defer func() {
		v := recover()
		r.panicked = caller.Panic(v, "retry")
		switch gone := x.results.Send(r) != nil; {
		case !gone:
		case v != nil:
			panic(v)
		case r.err == nil && x.late != nil:
			x.late(r.v)
		}
	}()
	r.v, r.err = x.fn(ctx)
}

// end ends the calls that have not ended.
func (x *hedge[T]) end() {
	x.results.Close()
	for _, cancel := range x.cancels {
		cancel()
	}
}
