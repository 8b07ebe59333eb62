package sched

// YieldClock records when a loop last went through the scheduler.
type YieldClock struct {
	at   int64 // in ns, by the loop's clock
	last int64 // when Due was called last
}

// The runtime's monitor thread assumes that a goroutine that was not rescheduled for 10 ms hogs its P. Neither a
// switch of coroutines nor a system call counts as rescheduling. So it interrupts a busy loop with signals, takes its
// P away during system calls, and looks again every 20 µs instead of every 10 ms. With 50 connections on one core that
// took 18 ms of monitor time a second, and 5 ms with a timely yield. A loop that sleeps for longer loses its P anyway.
// For it a yield, which is two switches of threads because a locked goroutine returns through another thread, would
// only keep the monitor looking for 10 ms more.
const (
	yieldEvery = 8e6 // ns
	yieldGap   = 5e6 // ns; a busy loop has at most so much time between two turns
)

// Due reports whether a loop that begins a turn now should yield. It is called in each turn.
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
