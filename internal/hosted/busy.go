package hosted

import (
	"runtime"
	"time"
)

// Where goroutines that compute have all Ps, one that was parked waits behind them: the
// watcher first, as the netpoller is asked only once in 10 ms then, and after it the
// readers. A plain call keeps its P through a short wait. So while Ps are short, up to
// plainMax callers make plain calls.

const (
	// lateMax is the longest that a goroutine may wait for a P while these are not short.
	// What only reads files lets others run within microseconds, what computes after 10 ms.
	lateMax = 6 * time.Millisecond
	// latesMin is how often in a row that must be: once may be the machine's doing.
	latesMin = 3
	// plainMax bounds the threads that this may cost: so many keep a disk's queue full.
	plainMax = 64
	// busyMin and busyMax are for how long Ps are taken to be short, at first and when they
	// were found so again and again.
	busyMin = 100 * time.Millisecond
	busyMax = 5 * time.Second
)

// busy is what a ring knows of the shortage. The ring's mutex guards it.
type busy struct {
	until time.Time // zero: there was none
	last  time.Duration
	lates int
}

// now reports whether Ps are taken to be short.
func (b *busy) now() bool { return !b.until.IsZero() && time.Now().Before(b.until) }

// note takes in for how long a goroutine has waited for a P.
func (b *busy) note(late time.Duration) {
	switch {
	case b.now():
	case late > lateMax && b.lates < latesMin-1:
		b.lates++
	case late > lateMax:
		b.lates = 0
		b.last = min(max(2*b.last, busyMin), busyMax)
		b.until = time.Now().Add(b.last)
	default:
		*b = busy{}
	}
}

// yield lets others run, and notes how long that was.
func (r *ring) yield() {
	if r.few <= 0 {
		return
	}
	start := time.Now()
	runtime.Gosched()
	late := time.Since(start)
	r.mu.Lock()
	r.busy.note(late)
	r.mu.Unlock()
}
