package sched

// YieldClock is when a loop last went through the scheduler.
type YieldClock struct {
	at   int64 // in ns, by the loop's clock
	last int64 // when it was last asked whether it should
}

// The runtime's monitor thread takes a goroutine that was not rescheduled for 10
// ms for one that hogs its P. Neither a switch of coroutines nor a system call
// counts as rescheduling, so it interrupts a busy loop with signals, takes the P
// away in its system calls, and looks again every 20 µs instead of every 10 ms. At
// 50 connections on one core that was 18 ms of monitor a second, 5 with a yield
// in time. A loop that sleeps for longer loses its P in any case, and then a yield,
// which is two switches of threads because a locked goroutine comes back by way of
// another, would only have the monitor look for 10 ms more.
const (
	yieldEvery = 8e6 // ns
	yieldGap   = 5e6 // ns between two turns of a busy loop, at most
)

// Due reports whether a loop that begins a turn now is to yield. It is asked in each.
func (y *YieldClock) Due(now int64) bool {
	if now-y.last > yieldGap {
		y.at = now
	}
	y.last = now
	if now-y.at < yieldEvery {
		return false
	}
	y.at = now
	return true
}
