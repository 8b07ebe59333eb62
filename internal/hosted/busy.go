package hosted

import (
	"runtime"
	"time"
)

// While goroutines that compute have all Ps, a goroutine that was parked waits behind them when it becomes ready:
// first the watcher, because the scheduler then asks the netpoller only every 10 ms, and after it the readers. A plain
// call keeps its P through a short wait. So while Ps are short, up to plainMax callers make plain calls.

const (
	// lateMax is the longest that a goroutine waits for a P while Ps are not short. Goroutines that only read files
	// let others run within microseconds; one that computes is preempted after 10 ms.
	lateMax = 6 * time.Millisecond
	// latesMin is how often in a row a wait must be longer: a single one may be caused by the machine.
	latesMin = 3
	// plainMax bounds the threads that plain calls may hold: so many keep a disk's queue full.
	plainMax = 64
	// busyMin and busyMax bound the time for which Ps are assumed to be short: it starts at busyMin and doubles each
	// time that they are found so again.
	busyMin = 100 * time.Millisecond
	busyMax = 5 * time.Second
)

// busy is what a ring knows about a shortage of Ps. The ring's mutex guards it.
type busy struct {
	until time.Time // zero: Ps were not short
	last  time.Duration
	lates int
}

// now reports whether Ps are assumed to be short.
func (b *busy) now() bool { return !b.until.IsZero() && time.Now().Before(b.until) }

// note records how long a goroutine has waited for a P.
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

// yield lets other goroutines run, and records how long that took.
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
