package loop

import "runtime"

// breath is when the loop last went through the scheduler.
type breath struct {
	at   int64 // NowNS
	turn uint64
}

// The runtime's monitor thread takes a goroutine that was not rescheduled for 10
// ms for one that hogs its P. Neither a switch of coroutines nor a system call
// counts as rescheduling, so it interrupts a busy loop with signals, takes the P
// away in its system calls, and looks again every 20 µs instead of every 10 ms. At
// 50 connections on one core that was 18 ms of monitor a second, 5 with a breath
// in time. A loop that has time to sleep is let be: for it the breath would only
// cost latency, because a locked goroutine comes back by way of another thread.
const (
	breathEvery = 8e6 // ns
	breathTurns = 64
)

// breathe goes through the scheduler now and then while the loop is busy.
func (l *Loop) breathe() {
	if l.stats.Turns-l.breath.turn < breathTurns || l.now-l.breath.at < breathEvery {
		return
	}
	l.breath = breath{at: l.now, turn: l.stats.Turns}
	runtime.Gosched()
}
