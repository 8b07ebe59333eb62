package loop

import (
	"time"

	"ringo/internal/driver"
)

// Machine is the World of loops that are in no other.
var Machine World = machine{}

// Driver gives the tests what the loop runs on.
func Driver(l *Loop) driver.Driver { return l.drv }

// Yield yields for a turn.
func Yield(l *Loop) { l.YieldTurn() }

// TimerEntries is how many entries the loop's timers have.
func TimerEntries(l *Loop) int { return l.timers.Len() }

// Parked reports whether the task has given its thread away in a Park.
func Parked(t *Task) bool { return t.w != nil && t.w.sp != 0 }

// Kept is what the loop keeps for the next burst, and what it has in use. For tasks.
func Kept(l *Loop) (workers, slots, buffers int) {
	return len(l.workers.all), l.ops.slab.Kept(), l.pools.Plain.Available()
}

// SetIdleAfter has the idlers that begin look once in so long.
func SetIdleAfter(d time.Duration) (restore func()) {
	was := idleAfter
	idleAfter = d
	return func() { idleAfter = was }
}

// TrimLoops is what the idler does once in a while.
func TrimLoops() (any bool) {
	any = anySpare()
	trimLoops()
	return any
}

// Workers is the loop's coroutines. For tasks.
func Workers(l *Loop) map[any]bool {
	all := map[any]bool{}
	for _, w := range l.workers.all {
		all[w] = true
	}
	return all
}

// SetThreadQueued replaces what tells how long a thread has waited for a processor.
func SetThreadQueued(f func(tid int32) (ns int64, ok bool)) (restore func()) {
	was := threadQueued
	threadQueued = f
	return func() { threadQueued = was }
}

// SetGosched has loops call f where they go through the scheduler.
func SetGosched(f func()) (restore func()) {
	was := gosched
	gosched = f
	return func() { gosched = was }
}

// ContextEnd is what stands between a context and a Parker that waits in ParkContext.
func ContextEnd(p *Parker) (end, forget func()) {
	e := &contextEnd{p: p}
	return e.end, e.forget
}

// SetBegun has the loop count on from n tasks that have begun. For tasks.
func SetBegun(l *Loop, n uint32) { l.tasks.begun = n }
