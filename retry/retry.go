// Package retry repeats calls: Do calls again after a failure, Hedge makes a second call beside a slow one, and a
// Budget limits how many calls are repeated. Tasks and goroutines can use it. Its waits are Ringo's, and in a simulated
// world go by the world's clock.
//
// If each client repeats each failed request, a service that has failed gets several times its usual load, and stays
// down. So clients share a Budget, with which a small part of their calls can be repeated, however many fail.
package retry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"ringo/internal/caller"
	"ringo/internal/loop"
)

// A Budget limits how many calls are repeated. Each call by Do or Hedge adds a part of a token to it, and so does each
// second; each repetition takes a token. Tasks of any loop and ordinary goroutines can share one. NewBudget makes it;
// the zero Budget allows no repetitions, a nil Budget any number. It must not be copied after its first use.
type Budget struct {
	ratio, perSecond, most float64

	mu      sync.Mutex
	tokens  float64
	at      time.Time // when tokens was computed
	refused uint64
}

// budgetSeconds is for how many seconds tokens are saved up, and budgetMin how many can be saved up in any case.
const (
	budgetSeconds = 10
	budgetMin     = 10
)

// NewBudget makes a Budget. Each call adds ratio tokens, such as 0.2, and each second adds perSecond, for clients that
// make few calls. Unused tokens are saved up to ten times perSecond, or to 10 if that is more; a new Budget begins with
// that number. Negative numbers count as 0.
func NewBudget(ratio, perSecond float64) *Budget {
	b := &Budget{ratio: positive(ratio), perSecond: positive(perSecond)}
	b.most = max(budgetMin, b.perSecond*budgetSeconds)
	b.tokens = b.most
	return b
}

// positive returns x, but 0 for a negative number or NaN, and at most 1<<40, because infinity would turn into NaN.
func positive(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, 1<<40)
}

// Call records that a call is made, which adds tokens. Do and Hedge call it themselves. Any goroutine may call it.
func (b *Budget) Call() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	b.tokens = min(b.most, b.tokens+b.ratio)
}

// Take takes a token for a repetition, and reports whether there was one. Do and Hedge call it themselves. It does not
// wait. Any goroutine may call it.
func (b *Budget) Take() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fill(); b.tokens < 1 {
		b.refused++
		return false
	}
	b.tokens--
	return true
}

// Refused returns how many repetitions were not made because there was no token. Any goroutine may call it.
func (b *Budget) Refused() uint64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// fill adds the tokens of the time that has passed since the last call. The caller holds the lock.
func (b *Budget) fill() {
	t := caller.Now()
	if d := t.Sub(b.at); d > 0 && !b.at.IsZero() {
		b.tokens = min(b.most, b.tokens+float64(d.Seconds()*b.perSecond)) // rounded, as in package rate
	}
	if t.After(b.at) { // clocks of loops may be behind those of others
		b.at = t
	}
}

// A Policy configures Do. The zero Policy makes three calls at most, waits 10 ms on average before the second and 20 ms
// before the third, and has no Budget. It must not be changed while it is in use; any number of callers can share one.
type Policy struct {
	// Calls is the largest number of calls, including the first; 0 means 3.
	Calls int
	// Wait is the average wait before the second call; 0 means 10 ms. The average doubles before each further call, up
	// to MaxWait; a MaxWait of 0 means 1 s. If either is negative, there are no waits. The length of a wait is random,
	// from none to twice the average, so that clients that failed together do not come back together.
	Wait, MaxWait time.Duration
	// Timeout is how long each call may take; 0 means that there is no limit.
	Timeout time.Duration
	// Budget has to provide a token for each further call; nil means that no token is needed.
	Budget *Budget
	// Again reports whether to call again after an error that is not marked by Permanent; nil means always.
	Again func(err error) bool
}

// An Error is what Do returns if it has called more than once, or would have if the Budget had allowed it.
type Error struct {
	Calls   int
	Refused bool  // the Budget allowed no further call
	Err     error // of the last call
}

// Error says how many calls have failed.
func (e *Error) Error() string {
	why := ""
	if e.Refused {
		why = ", and the budget allows no more"
	}
	if e.Calls == 1 {
		return fmt.Sprintf("retry: 1 call has failed%s: %v", why, e.Err)
	}
	return fmt.Sprintf("retry: %d calls have failed%s: %v", e.Calls, why, e.Err)
}

// Unwrap returns the last call's error.
func (e *Error) Unwrap() error { return e.Err }

// Permanent marks an error that another call can't cure: Do then returns it at once, and so does a Do around that one.
// errors.Is and errors.As find err in it. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

type permanent struct{ err error }

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }

// Do calls fn until fn returns nil, or an error after which p makes no further call, or until p allows no more calls.
// fn must be safe to call more than once. Its context is derived from ctx, or from the task's if ctx is nil, and has
// the deadline of p.Timeout; a task's waits in fn end with that context. Do calls fn in the task or goroutine of its
// caller.
//
// If there was a single call, the error is fn's; after several calls, or if the Budget has refused another, it is an
// *Error. Do also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or WithContext
// ends: when the current call has returned, or at once between two calls, with the error of the calls so far. If that
// has happened before the first call, Do makes none. A nil p is the zero Policy, a nil ctx never ends. Do panics if fn
// is nil. Any goroutine may call it; a task parks.
func Do(ctx context.Context, p *Policy, fn func(ctx context.Context) error) error {
	if fn == nil {
		panic("retry: Do of a nil function")
	}
	if err := caller.Ended(ctx); err != nil {
		return err
	}
	if p == nil {
		p = new(Policy)
	}
	p.Budget.Call()
	for n := 1; ; n++ {
		err := p.once(ctx, fn)
		if err == nil {
			return nil
		}
		var final *permanent
		switch {
		case errors.As(err, &final), n >= p.calls(), caller.Ended(ctx) != nil, p.Again != nil && !p.Again(err):
			return told(n, err)
		case !p.Budget.Take():
			return &Error{n, true, err}
		case p.pause(ctx, n) != nil:
			return told(n, err)
		}
	}
}

// told returns the error of n calls, the last of which returned err.
func told(n int, err error) error {
	if n == 1 {
		return err
	}
	return &Error{n, false, err}
}

func (p *Policy) calls() int {
	if p.Calls == 0 {
		return 3
	}
	return p.Calls
}

// once makes one call.
func (p *Policy) once(ctx context.Context, fn func(context.Context) error) error {
	if p.Timeout <= 0 {
		return caller.In(ctx, fn)
	}
	_, err := caller.Within(ctx, p.Timeout, fn)
	return err
}

// pause waits before call n+1.
func (p *Policy) pause(ctx context.Context, n int) error {
	average, most := p.Wait, p.MaxWait
	if average == 0 {
		average = 10 * time.Millisecond
	}
	if most == 0 {
		most = time.Second
	}
	if average < 0 || most < 0 {
		return nil
	}
	for ; n > 1 && average < most; n-- {
		average *= 2
	}
	average = min(average, most, math.MaxInt64/2)
	return caller.Sleep(ctx, time.Duration(chance()*2*float64(average)))
}

// chance returns a random number that is at least 0 and less than 1.
func chance() float64 { return float64(loop.Rand()>>11) / (1 << 53) }
