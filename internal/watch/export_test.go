package watch

import (
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
	"ringo/stats"
)

// HoldMin is the least limit of holds that a Config may have.
const HoldMin = time.Millisecond

// PlacesMax bounds the places of a loop.
const PlacesMax = placesMax

// Peeks reports whether a goroutine can be looked at alone.
func Peeks() bool { return peeks() }

// SetPeeksNever has watchers that look later find everything by all stacks.
func SetPeeksNever() (restore func()) {
	was := peeks
	peeks = func() bool { return false }
	return func() { peeks = was }
}

// HoldList is the holds of a loop.
type HoldList struct{ h holds }

// Add counts one of a task.
func (h *HoldList) Add(task string, took time.Duration) {
	h.h.add(place{Place: stacks.Place{Task: task}}, 1, took, took)
}

// List gives them.
func (h *HoldList) List() []stats.Hold { return h.h.list() }

// AddAt counts one of a place, and Unsaid takes what is worth telling.
func (h *HoldList) AddAt(o stats.Hold)                      { h.h.add(placeOf(o), 1, o.Total, o.Total) }
func (h *HoldList) Unsaid(worth time.Duration) []stats.Hold { return h.h.takeUnsaid(worth) }

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
func LookAtHolds(l *loop.Loop) (look func()) {
	o := targetOf(l)
	w := &watcher{run: o.run, hold: HoldMin, seen: make([]lastLook, 1)}
	w.pause = w.often()
	return func() { w.lookForHolds(o, &w.seen[0]) }
}

func placeOf(o stats.Hold) place {
	return place{stacks.Place{Task: o.Task, At: o.At, In: o.In}, o.State}
}

// WatcherRests reports whether the watcher waits for a loop of the Run to begin a turn. G.
func WatcherRests(l *loop.Loop) bool { return targetOf(l).run.rests.Load() }
