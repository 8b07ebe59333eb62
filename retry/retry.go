// Package retry repeats calls: Do calls again after a failure, Hedge makes a second call beside a slow one, and a
// Budget bounds how many calls are repeated. Tasks and goroutines can use it; their waits are Ringo's, and go by the
// clock of a simulated world in one.
//
// If each client repeats each failed request, a service that has failed gets several times its usual load, and stays
// down. So clients share a Budget, which lets a small part of their calls be repeated, however many fail.
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

// A Budget bounds how many calls are made once more. Each call by Do or Hedge adds a part of a token to it, as each
// second does, and each repetition takes one. Tasks of any loop and ordinary goroutines can share one. NewBudget makes
// it; the zero Budget allows no repetitions, and nil any. It must not be copied after its first use.
type Budget struct {
	ratio, perSecond, most float64

	mu      sync.Mutex
	tokens  float64
	at      time.Time // when there were so many
	refused uint64
}

// budgetSeconds is for how long tokens are saved up, and budgetMin how many are in any case.
const (
	budgetSeconds = 10
	budgetMin     = 10
)

// NewBudget makes a Budget. Each call adds ratio tokens, such as 0.2, and each second adds perSecond, for clients that
// make few calls. Unused tokens are saved up to ten times perSecond, but to 10 at least; a new Budget has as many.
// Numbers below 0 count as 0.
func NewBudget(ratio, perSecond float64) *Budget {
	b := &Budget{ratio: positive(ratio), perSecond: positive(perSecond)}
	b.most = max(budgetMin, b.perSecond*budgetSeconds)
	b.tokens = b.most
	return b
}

// positive is what NewBudget takes: no NaN, and nothing that would make one.
func positive(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, 1<<40)
}

// Call notes a call. Do and Hedge do so themselves. Any goroutine may call it.
func (b *Budget) Call() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	b.tokens = min(b.most, b.tokens+b.ratio)
}

// Take takes a token for a repetition, and reports whether there was one. Do and Hedge do so themselves. It does not
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

// fill adds the tokens of the time that has passed. The caller holds the lock.
func (b *Budget) fill() {
	t := caller.Now()
	if d := t.Sub(b.at); d > 0 && !b.at.IsZero() {
		b.tokens = min(b.most, b.tokens+float64(d.Seconds()*b.perSecond)) // rounded, as in package rate
	}
	if t.After(b.at) { // clocks of loops may be behind those of others
		b.at = t
	}
}

// A Policy configures Do. The zero Policy is three calls at most, with waits of 10 ms on average between the first two
// and 20 ms before the third, and no Budget. It must not be changed while it is used; any number of callers can share
// one.
type Policy struct {
	// Calls is how many there are at most, the first included; 0: 3.
	Calls int
	// Wait is how long the wait before the second call is on average; 0: 10 ms; below: there is no wait. Before each
	// further one it is twice as long, up to MaxWait; 0: 1 s. A wait's length is random, from none to twice the
	// average, so that clients which failed together do not come back together.
	Wait, MaxWait time.Duration
	// Timeout is how long each call may take; 0: as long as it takes.
	Timeout time.Duration
	// Budget is asked before each further call; nil: none is.
	Budget *Budget
	// Again reports whether an error is worth another call; nil: all are, but those of Permanent.
	Again func(err error) bool
}

// An Error is what Do returns when it has called more than once, or would have if the Budget had allowed it.
type Error struct {
	Calls   int
	Refused bool  // by the Budget
	Err     error // of the last call
}

// Error says how often it was tried.
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

// Permanent marks an error that another call would not mend: Do returns it then, at once, and so does a Do around that.
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

// Do calls fn until it returns nil, or an error that is not worth another call, or there have been as many as p allows.
// fn must be something that may be done twice. Its context is derived from ctx, or from the task's if that is nil, and
// has the deadline of p.Timeout; a task's waits in it end with that. Do calls fn in the task or goroutine of its
// caller.
//
// After a single call the error is fn's; after several, or if the Budget has refused another, it is an *Error. Do also
// returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or WithContext ends: when the
// call under way has returned, or at once between two calls, with the error of the calls so far. If that has happened
// before the first call, Do makes none. A nil p is the zero Policy, a nil ctx never ends. It panics if fn is nil. Any
// goroutine may call it; a task parks.
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

// told is the error of so many calls.
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

// once is one call.
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

// chance is a random number from 0 to 1.
func chance() float64 { return float64(loop.Rand()>>11) / (1 << 53) }
