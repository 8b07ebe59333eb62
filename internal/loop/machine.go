package loop

import (
	"context"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"ringo/internal/driver"
	"ringo/internal/lane"
	"ringo/internal/op"
)

// machine is the World of loops that are in no simulated one.
type machine struct{}

func (machine) Beside() bool { return true }

func (machine) HasTurn(l *Loop) bool { return l.thread.seat.IsCurrent() && !l.life.ended.Load() }

func (machine) StandsStill() bool { return false }

func (machine) Reaches() bool { return true }

func (machine) Outsider(*Loop, string) error { return nil }

func (machine) Passage() error { return nil }

// SchedYield gives the P to other goroutines when some may have waited for long. A loop that has its CPU for itself
// keeps the P: to get it back takes a thread that first has to get a CPU of the others, 3 ms later if those compute.
func (machine) SchedYield(l *Loop) {
	if l.cfg.Plan.Rest == nil && l.lastYield.Due(l.clock.now) {
		gosched()
		l.tick()
	}
}

var gosched = runtime.Gosched // a variable for tests

func (machine) Exits(*Loop) {}

// Offload leaves the call to goroutines.
func (machine) Offload(*Loop, lane.Lane, func()) (here bool, err error) { return false, nil }

func (machine) Moment(l *Loop, t time.Time) int64 {
	if t.Unix() <= 1 && l.set.epoch.Unix() > 1 { // net and net/http set such a deadline to end calls
		return 1
	}
	if t != t.Round(0) {
		return max(1, int64(t.Sub(l.set.epoch)))
	}
	// A time of day: the clock may have been set since the epoch.
	now, d := l.set.elapsed(), int64(time.Until(t))
	if d > math.MaxInt64-max(now, 0) {
		return math.MaxInt64
	}
	return max(1, now+d)
}

func (machine) After(d time.Duration, fn func()) (stop func() bool) {
	return time.AfterFunc(d, fn).Stop
}

// AfterContext calls the context's own AfterFunc if there is one. Package context would first derive another context,
// and start a goroutine.
func (machine) AfterContext(ctx context.Context, fn func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return own.AfterFunc(fn)
	}
	return context.AfterFunc(ctx, fn)
}

func (machine) WithCancel(base context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(base)
}

func (machine) WithDeadline(_ *Loop, base context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(base, at)
}

func (machine) Join(*Loop, context.Context, context.Context, context.Context) (context.Context, context.CancelFunc) {
	return nil, nil
}

func (machine) Call(o *op.Op) int32 { return driver.Call(o) }

func (machine) Names() func(*Loop, string) ([]netip.Addr, error) { return nil }

func (machine) Rand() uint64 { return rand.Uint64() }
