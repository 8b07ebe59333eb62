package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/rt/stacks"
)

// Driver gives the tests what the loop runs on.
func Driver(l *Loop) driver.Driver { return l.drv }

// Yield yields for a turn.
func Yield(l *Loop) { l.yield() }

// Turns is how many the loop has had. For tasks.
func Turns(l *Loop) uint64 { return l.stats.Turns }

// TimerEntries is how many entries the loop's timers have.
func TimerEntries(l *Loop) int { return l.timers.Len() }

// Parked reports whether the task has given its thread away in a Park.
func Parked(t *Task) bool { return t.w != nil && t.w.sp != 0 }

// Kept is what the loop keeps for the next burst, and what it has in use. For tasks.
func Kept(l *Loop) (workers, slots, buffers int) {
	return len(l.workers), l.slab.Kept(), l.plain.Available()
}

// SetIdleAfter has the idlers that begin look once in so long.
func SetIdleAfter(d time.Duration) (restore func()) {
	was := idleAfter
	idleAfter = d
	return func() { idleAfter = was }
}

// TrimLoops is what the idler does once in a while.
func TrimLoops() (any bool) { return trimLoops() }

// Workers is the loop's coroutines. For tasks.
func Workers(l *Loop) map[any]bool {
	all := map[any]bool{}
	for _, w := range l.workers {
		all[w] = true
	}
	return all
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

// FullMax is how long a call may wait for a slot before that is told of.
const FullMax = fullMax

// SetBegun has the loop count on from n tasks that have begun. For tasks.
func SetBegun(l *Loop, n uint32) { l.begun = n }

// HoldMin is the least limit of holds that a Config may have.
const HoldMin = time.Millisecond

// PlacesMax bounds the places of a loop.
const PlacesMax = placesMax

// RecentWindow is how long a turn is recent.
const RecentWindow = recentWindow

// Peeks reports whether a goroutine can be looked at alone.
func Peeks() bool { return peeks() }

// SetPeeksNever has watchers that look later find everything by all stacks.
func SetPeeksNever() (restore func()) {
	was := peeks
	peeks = func() bool { return false }
	return func() { peeks = was }
}

// WhileHeld is what Stats gives if the loop does not answer.
func WhileHeld(l *Loop) Stats { return l.whileHeld() }

// Stalls is how many the loop has had. For tasks.
func Stalls(l *Loop) uint64 { return l.stats.Stalls }

// HoldList is the holds of a loop.
type HoldList struct{ h holds }

// Add counts one of a task.
func (h *HoldList) Add(task string, took time.Duration) {
	h.h.add(place{Place: stacks.Place{Task: task}}, 1, took, took)
}

// List gives them.
func (h *HoldList) List() []Hold { return h.h.list() }

// Recent is the longest turn of late.
type Recent struct{ r recent }

// Add counts a turn.
func (r *Recent) Add(took time.Duration, now int64) { r.r.add(took, now) }

// At is the longest.
func (r *Recent) At(now int64) time.Duration { return r.r.at(now) }

// AddAt counts one of a place, and Unsaid takes what is worth telling.
func (h *HoldList) AddAt(o Hold)                      { h.h.add(placeOf(o), 1, o.Total, o.Total) }
func (h *HoldList) Unsaid(worth time.Duration) []Hold { return h.h.takeUnsaid(worth) }

// Glance is what the watcher finds at a look, at a time of the loop's, and what the thread has used of the processor.
type Glance struct {
	At, CPU time.Duration
	Nth     uint64
	State   string
}

// ChargeTurn is what a turn is charged for that began at a time and ended at another, by looks of which the first was
// before it.
func (h *HoldList) ChargeTurn(began, ended, limit time.Duration, pcs []uintptr, looks []Glance, after time.Duration) {
	var o holder
	o.restAt, o.restCPU = int64(looks[0].At), int64(looks[0].CPU)
	o.begin(int64(began))
	for _, g := range looks[1:] {
		o.note(part{nth: g.Nth, state: g.State, stack: stacks.Stack{PCs: pcs}}, int64(g.At), int64(g.CPU), limit/2)
	}
	o.charge(&h.h, ended-began, limit, limit/2, int64(after))
}

// LookAtHolds makes a watcher's look at a loop, and at nothing else, as often as it is called.
func LookAtHolds(l *Loop) (look func()) {
	w := &watcher{set: l.set, hold: HoldMin, seen: make([]sighting, 1)}
	w.pause = w.often()
	return func() { w.lookForHolds(l, &w.seen[0]) }
}

func placeOf(o Hold) place { return place{stacks.Place{Task: o.Task, At: o.At, In: o.In}, o.State} }

// Metered reports whether the running turn of the loop is measured by task. T.
func Metered(l *Loop) bool { return l.meter != nil }

// WatcherRests reports whether the watcher waits for a loop of the Run to begin a turn. G.
func WatcherRests(l *Loop) bool { return l.set.rests.Load() }
