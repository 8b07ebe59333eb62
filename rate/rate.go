// Package rate limits how often something happens, with the names of golang.org/x/time/rate, for tasks and goroutines:
// a Limiter is a bucket of tokens that fills at a rate. Its Wait parks tasks where that package would stop their loop,
// and uses their clock, even in simulated worlds.
//
// Callers that wait stand in line, and tokens go to the first of them. So no caller overtakes another, and a caller
// that gives up has taken none: there are no reservations to be given back.
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

// Limit is a rate in tokens per second. Zero, a negative number and NaN bring no tokens.
type Limit float64

// Inf is the Limit that gives every caller its tokens at once.
const Inf = Limit(math.MaxFloat64)

// Every returns the Limit of one token in each interval, or Inf if interval is not positive.
func Every(interval time.Duration) Limit {
	if interval <= 0 {
		return Inf
	}
	return Limit(float64(time.Second) / float64(interval))
}

// A Limiter hands out tokens, and saves up to burst of those that no caller has taken. Tasks of any loop and ordinary
// goroutines can share one. NewLimiter makes it; the zero Limiter has no tokens. It must not be copied after its first
// use.
type Limiter struct {
	line    ringo.Mutex // of those that wait: the first has it
	mu      sync.Mutex
	limit   Limit
	burst   int
	tokens  float64
	at      time.Time // when there were so many
	wanted  int       // by those that wait
	waiting int
	changed *ringo.Chan[struct{}] // tells the first in line of another limit; nil: nobody has waited
}

// NewLimiter makes a Limiter that begins with burst tokens, and saves up no more than that.
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

// SetLimit changes the rate from now on, even for callers that wait already. Any goroutine may call it.
func (l *Limiter) SetLimit(r Limit) { l.set(func() { l.limit = r }) }

// SetBurst changes how many tokens are saved up at most. A caller that waits for more than that gets an error once it
// is the first in line. Any goroutine may call it.
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

// leave has the caller be none of those that wait. The caller holds the lock.
func (l *Limiter) leave(n int) {
	l.wanted -= n
	l.waiting--
}

// errLater is the error of who has to wait.
var errLater = errors.New("later")

// begin takes tokens that are there, or counts the caller among those that wait.
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

// await takes the tokens for the first in line. Once it has them it waits for none, under the same lock: who comes then
// does not count them twice.
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

// pause waits for so long, or until somebody has changed the limit. What ends the caller's wait when that time is over
// already is left to the next pause, if the tokens are not there: the error of this one would be of its own end.
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

// fill adds the tokens that have come. The caller holds the lock, as of what follows.
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

// take takes tokens, if there are enough.
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

// never is why so many tokens can't be had at once.
func (l *Limiter) never(n int) error {
	if n > l.burst && !(l.limit >= Inf) {
		return fmt.Errorf("rate: %d tokens are wanted at once, and %d at most are saved up", n, l.burst)
	}
	return nil
}

// delay is for how long so many tokens have to be waited for.
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

// tooLate is the error of tokens that would come behind the caller's deadline.
type tooLate struct {
	n  int
	in time.Duration
}

func (e *tooLate) Error() string {
	return fmt.Sprintf("rate: %d tokens will be there in %v, which is behind the deadline", e.n, e.in)
}

// Is has it match the errors of deadlines.
func (e *tooLate) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}
