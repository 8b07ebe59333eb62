package retry

import (
	"context"
	"fmt"
	"time"

	"ringo"
	"ringo/internal/caller"
)

// A Hedging configures Hedge. It must not be changed while it is in use; any number of callers can share one.
type Hedging struct {
	// After is how long a call may take before another is made beside it. Choose it so that 99 of 100 calls are faster:
	// then there is one more call in a hundred. With 0 all calls are made at once.
	After time.Duration
	// Calls is the largest number of calls, including the first; 0 means 2.
	Calls int
	// Budget has to provide a token for each further call; nil means that no token is needed.
	Budget *Budget
}

// A result is what one of Hedge's calls returned.
type result[T any] struct {
	v        T
	err      error
	panicked *ringo.PanicError
}

// Hedge calls fn, and once more beside it whenever h.After has passed without a result, or at once when all calls so
// far have failed. It returns the first result without an error, or the last error if all calls that h allows have
// failed. So if one of several servers is slow at the moment, it delays no caller for longer than After. fn must be
// safe to call more than once.
//
// Each call runs in a task of its own on the caller's loop if the caller is a task, and otherwise on a goroutine. The
// calls' contexts have the values of ctx, or of the task's context if ctx is nil. They end when Hedge has returned, as
// do the waits of a task in fn: so late calls end by themselves. If such a call has a result even so, late is called
// with it in the call's task or goroutine, to close a connection, for example; if late is nil, the result is dropped.
// If fn panics, Hedge panics with a *ringo.PanicError; once Hedge has returned, the panic goes on in the call's task or
// goroutine. If fn calls runtime.Goexit, the error matches ringo.ErrGoexit.
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

// hedge is the state of one call of Hedge.
type hedge[T any] struct {
	fn      func(context.Context) (T, error)
	late    func(T)
	results *ringo.Chan[result[T]] // closed when no more results are wanted
	cancels []func()
}

// next waits for a result, but no longer than h.After if there may be another call. over reports that After has passed.
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

// begin starts a call of fn.
func (x *hedge[T]) begin(ctx context.Context) {
	if l := caller.Here(); l != nil && ctx == nil {
		ctx = l.Context()
	}
	x.cancels = append(x.cancels, caller.Begin(ctx, x.call))
}

// call calls fn and sends the result to Hedge. If Hedge has returned meanwhile, a result without an error goes to late,
// and a panic goes on in the task or goroutine of the call.
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

// end cancels the calls that have not ended.
func (x *hedge[T]) end() {
	x.results.Close()
	for _, cancel := range x.cancels {
		cancel()
	}
}
