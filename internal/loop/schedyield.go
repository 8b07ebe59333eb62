package loop

import "runtime"

// yieldClock is when the loop last went through the scheduler.
type yieldClock struct {
	at   int64 // NowNS
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
	schedYieldEvery = 8e6 // ns
	schedYieldGap   = 5e6 // ns between two turns of a busy loop, at most
)

// schedYield goes through the scheduler now and then while the loop is busy. Others may have the P for long then.
func (l *Loop) schedYield() {
	if s := l.cfg.Stage; s != nil {
		s.schedYield()
	} else if l.lastYield.due(l.now) {
		gosched()
		l.tick()
	}
}

// stagedYield is how many turns the loops of a stage have from one yield to the next, in some 5 ms: its clock, which
// may go on by a millisecond or an hour in that time, can't tell.
const stagedYield = 4096

func (s *Stage) schedYield() {
	if len(s.watched) > 0 { // also here: beside a loop that keeps its turns to itself, TurnEnds is not called
		s.lookAtContexts()
	}
	if s.turns++; s.turns%stagedYield == 0 {
		gosched()
	}
}

var gosched = runtime.Gosched // but in tests

// due is asked in each turn.
func (y *yieldClock) due(now int64) bool {
	if now-y.last > schedYieldGap {
		y.at = now
	}
	y.last = now
	if now-y.at < schedYieldEvery {
		return false
	}
	y.at = now
	return true
}
