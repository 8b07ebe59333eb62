// Package rate limits how often something happens, for tasks and goroutines, with the names of golang.org/x/time/rate.
// A Limiter is a bucket of tokens that fills at a rate. Its Wait parks tasks where that package would stop their loop,
// and uses the tasks' clock, even in simulated worlds.
//
// Callers that wait stand in line, and the first in line gets the tokens. So no caller overtakes another, and a caller
// that gives up has taken no tokens: there are no reservations to give back.
package rate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/loop"
)

// Limit is a rate in tokens per second. With zero, a negative number or NaN no tokens come.
type Limit float64

// Inf is the Limit with which every caller gets its tokens at once.
const Inf = Limit(math.MaxFloat64)

// Every returns the Limit of one token in each interval, or Inf if interval is not positive.
func Every(interval time.Duration) Limit {
	if interval <= 0 {
		return Inf
	}
	return Limit(float64(time.Second) / float64(interval))
}

// A Limiter hands out tokens, and saves up to burst tokens that no caller has taken. Tasks of any loop and ordinary
// goroutines can share one. NewLimiter makes it; the zero Limiter has no tokens. It must not be copied after its first
// use.
type Limiter struct {
	line    ringo.Mutex // of the waiting callers; the first of them holds it
	mu      sync.Mutex
	limit   Limit
	burst   int
	tokens  float64
	at      time.Time // when tokens was computed
	wanted  int       // tokens that waiting callers want, together
	waiting int
	changed *ringo.Chan[struct{}] // tells the first in line that the limit has changed; nil until a caller has waited
}

// NewLimiter makes a Limiter that begins with burst tokens, and saves up at most that many.
func NewLimiter(r Limit, burst int) *Limiter {
	return &Limiter{limit: r, burst: burst, tokens: float64(burst)}
}

// Limit returns the rate in tokens per second. Any goroutine may call it.
func (l *Limiter) Limit() Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// Burst returns how many tokens are saved up at most. Any goroutine may call it.
func (l *Limiter) Burst() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.burst
}

// Tokens returns how many tokens there are now. Any goroutine may call it.
func (l *Limiter) Tokens() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill()
	return l.tokens
}

// SetLimit changes the rate from now on, also for callers that are already waiting. Any goroutine may call it.
func (l *Limiter) SetLimit(r Limit) { l.set(func() { l.limit = r }) }

// SetBurst changes how many tokens are saved up at most. A waiting caller that wants more than that gets an error once
// it is the first in line. Any goroutine may call it.
func (l *Limiter) SetBurst(burst int) { l.set(func() { l.burst = burst }) }

func (l *Limiter) set(f func()) {
	l.mu.Lock()
	l.fill()
	f()
	l.fill()
	changed := l.changed
	l.mu.Unlock()
	if changed != nil {
		changed.TrySend(struct{}{})
	}
}

// Allow is AllowN(1).
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens if they are available and no caller waits, and reports whether it did. It does not wait. It
// panics if n is negative. Any goroutine may call it.
func (l *Limiter) AllowN(n int) bool {
	loop.Charge()
	return l.allow(n)
}

func (l *Limiter) allow(n int) bool {
	if n < 0 {
		panic(fmt.Sprintf("rate: %d tokens", n))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill()
	return l.waiting == 0 && l.take(n)
}

// Wait is WaitN of one token: a task parks.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN takes n tokens once they are available and earlier callers have theirs: a task parks, a goroutine blocks. If it
// returns an error it has taken none. It also returns when ctx is done, and to a task when it is cancelled or its
// Loop.WithTimeout or WithContext ends, with the same errors as ringo.Mutex.LockContext. If the tokens would come after
// the deadline of any of these, it fails at once, with an error that matches context.DeadlineExceeded and
// os.ErrDeadlineExceeded. It fails if n is more than are ever saved up, unless the rate is Inf, and panics if n is
// negative. A nil ctx never ends. Any goroutine may call it.
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	if err := loop.ChargeAndYield(); err != nil {
		return err
	}
	if err := l.begin(ctx, n); err != errLater {
		return err
	}
	err := l.line.LockContext(ctx)
	if err == nil {
		err = l.await(ctx, n)
		l.line.Unlock()
		if err == nil {
			return nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(n)
	return err
}

// leave takes the caller out of the count of waiting callers. The caller holds the lock.
func (l *Limiter) leave(n int) {
	l.wanted -= n
	l.waiting--
}

// errLater says that the caller has to wait.
var errLater = errors.New("later")

// begin takes n tokens if they are there and no caller waits. Otherwise it counts the caller as waiting and returns
// errLater, or returns the error with which WaitN fails at once.
func (l *Limiter) begin(ctx context.Context, n int) error {
	if ctx != nil && ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	if l.allow(n) {
		return nil
	}
	var until time.Time
	if ctx != nil {
		until, _ = ctx.Deadline()
	}
	if here := caller.Here(); here != nil {
		if by, ok := here.Context().Deadline(); ok && (until.IsZero() || by.Before(until)) {
			until = by
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill()
	if l.waiting == 0 && l.take(n) {
		return nil
	}
	if err := l.never(n); err != nil {
		return err
	}
	if late := l.delay(l.wanted + n); !until.IsZero() && late > until.Sub(caller.Now()) {
		return &tooLate{n, late}
	}
	if l.changed == nil {
		l.changed = ringo.NewChan[struct{}](1)
	}
	l.wanted += n
	l.waiting++
	return errLater
}

// await waits for n tokens as the first in line, and takes them. It stops counting the caller as waiting under the same
// lock under which it takes the tokens, so that a caller that comes then does not count them twice.
func (l *Limiter) await(ctx context.Context, n int) error {
	for {
		l.mu.Lock()
		l.fill()
		done, err, late := l.take(n), l.never(n), l.delay(n)
		if done {
			l.leave(n)
		}
		l.mu.Unlock()
		if done {
			return nil
		}
		if err == nil {
			err = l.pause(ctx, late)
		}
		if err != nil {
			return err
		}
	}
}

// pause waits for d, or until the limit has changed. If ctx or the task ends when d is over already, pause returns nil,
// and leaves the error to the next pause, which comes only if the tokens are still missing. Here the error could be
// that of d, which is not the caller's deadline.
func (l *Limiter) pause(ctx context.Context, d time.Duration) error {
	here := caller.Here()
	end := caller.Now().Add(d)
	if here == nil {
		if ctx == nil {
			ctx = context.Background()
		}
		within, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		if _, err := l.changed.RecvContext(within); err != nil && ctx.Err() != nil && caller.Now().Before(end) {
			return err
		}
		return nil
	}
	err := here.WithTimeout(d, func() error { _, err := l.changed.RecvContext(ctx); return err })
	if err == nil || !caller.Now().Before(end) || here.Context().Err() == nil && (ctx == nil || ctx.Err() == nil) {
		return nil
	}
	return err
}

// fill adds the tokens that have come since the last call. The caller of fill, and of the functions below, holds the
// lock.
func (l *Limiter) fill() {
	t := caller.Now()
	if d := t.Sub(l.at); d > 0 && !l.at.IsZero() && l.limit > 0 { // which NaN is not
		l.tokens += float64(d.Seconds() * float64(l.limit)) // rounded, on processors too that would add in one step
	}
	if l.tokens > float64(l.burst) {
		l.tokens = float64(l.burst)
	}
	l.at = t
}

// take takes n tokens, if there are enough.
func (l *Limiter) take(n int) bool {
	switch {
	case l.limit >= Inf:
	case n > l.burst, float64(n) > l.tokens:
		return false
	default:
		l.tokens -= float64(n)
	}
	return true
}

// never returns an error if there can't be n tokens at once.
func (l *Limiter) never(n int) error {
	if n > l.burst && !(l.limit >= Inf) {
		return fmt.Errorf("rate: %d tokens are wanted at once, and %d at most are saved up", n, l.burst)
	}
	return nil
}

// delay returns how long it takes until there are n tokens.
func (l *Limiter) delay(n int) time.Duration {
	missing := float64(n) - l.tokens
	seconds := missing / float64(l.limit)
	switch {
	case missing <= 0, l.limit >= Inf:
		return 0
	case !(l.limit > 0 && seconds < time.Duration(math.MaxInt64).Seconds()):
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(seconds * float64(time.Second)))
}

// tooLate is the error of a caller whose deadline comes before its tokens.
type tooLate struct {
	n  int
	in time.Duration
}

func (e *tooLate) Error() string {
	return fmt.Sprintf("rate: %d tokens will be there in %v, which is behind the deadline", e.n, e.in)
}

// Is makes the error match those of deadlines.
func (e *tooLate) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}
