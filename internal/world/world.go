// Package world is the time and the chance of a simulated world: what will happen, in the order of a virtual clock, and
// what a seed makes of everything that could go either way.
//
// A world belongs to one goroutine at a time. Nothing in it reads a real clock, starts a goroutine or depends on the
// order of a map, so that one seed gives one history.
package world

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// World is a clock, the events that are to come, and a source of chance.
type World struct {
	now    int64
	order  uint64
	limit  int64 // of the present Step
	coming events
	rand   *rand.Rand
}

// Start is what the clock of a new world says, in nanoseconds: not 0, which programs take for no time.
const Start = int64(time.Hour)

// New makes a world of a seed.
func New(seed uint64) *World {
	return &World{now: Start, rand: rand.New(rand.NewPCG(seed, 0x52696e676f))}
}

// NewTape is New of a world whose first chances are on a tape, as a fuzzer gives it.
func NewTape(seed uint64, tape []byte) *World {
	w := New(seed)
	w.rand = rand.New(&taped{tape: tape, then: w.rand})
	return w
}

// taped is chance that is written down for a while.
type taped struct {
	tape []byte
	then rand.Source
}

func (t *taped) Uint64() uint64 {
	if len(t.tape) < 8 {
		return t.then.Uint64()
	}
	n := binary.LittleEndian.Uint64(t.tape)
	t.tape = t.tape[8:]
	return n
}

// Now is the monotonic time in nanoseconds.
func (w *World) Now() int64 { return w.now }

// Rand is the world's chance. What it gives depends on the order in which it is asked.
func (w *World) Rand() *rand.Rand { return w.rand }

// Chance reports true with the probability p. It asks nobody where the answer is certain.
func (w *World) Chance(p float64) bool { return p >= 1 || p > 0 && w.rand.Float64() < p }

// Event is something that is to happen.
type Event struct {
	at    int64
	order uint64 // of those at one time, the first to be planned is the first
	fn    func()
	place int // in the heap; -1: it is not there
}

// At has fn called when the clock says ns, or at once in the next Step if that has passed.
func (w *World) At(ns int64, fn func()) *Event {
	w.order++
	e := &Event{at: max(ns, w.now), order: w.order, fn: fn}
	heap.Push(&w.coming, e)
	return e
}

// After has fn called d from now.
func (w *World) After(d time.Duration, fn func()) *Event { return w.At(w.now+int64(d), fn) }

// Drop takes an event back, and reports whether it was still to come. A nil event never is.
func (w *World) Drop(e *Event) bool {
	if e == nil || e.place < 0 {
		return false
	}
	heap.Remove(&w.coming, e.place)
	return true
}

// Next is when the next event is due; false if there is none.
func (w *World) Next() (at int64, ok bool) {
	if len(w.coming) == 0 {
		return 0, false
	}
	return w.coming[0].at, true
}

// Step moves the clock to the next event, if that is not later than the limit, and has it happen. It reports false
// if there is none; then the clock stands where it stood.
func (w *World) Step(limit int64) bool {
	if len(w.coming) == 0 || w.coming[0].at > limit {
		return false
	}
	e := heap.Pop(&w.coming).(*Event)
	w.now, w.limit = max(w.now, e.at), limit
	e.fn()
	return true
}

// free reports whether nothing happens until ns, and the present Step goes on as long.
func (w *World) free(ns int64) bool {
	return ns <= w.limit && (len(w.coming) == 0 || w.coming[0].at > ns)
}

// MoveTo moves the clock on to ns. Events that are due by then must have happened.
func (w *World) MoveTo(ns int64) {
	if at, ok := w.Next(); ok && at < ns {
		panic("world: the clock is to pass an event")
	}
	w.now = max(w.now, ns)
}

// events is a heap of them by time and order.
type events []*Event

func (h events) Len() int { return len(h) }

func (h events) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}

func (h events) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *events) Push(x any) {
	e := x.(*Event)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.place = -1
	return e
}
