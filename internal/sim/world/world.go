// Package world is the time and the chance of a simulated world: what will happen, in the order of a virtual clock, and
// what a seed makes of everything that could go either way.
//
// A world belongs to one goroutine at a time. Nothing in it reads a real clock, starts a goroutine or depends on the
// order of a map, so that one seed gives one history.
package world

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// World is a clock, the events that are to come, and a source of chance.
type World struct {
	now    int64
	order  uint64
	limit  int64 // of the present Step
	coming events
	rand   *rand.Rand

	stretch  int  // how many turns more an actor may have in the present Step
	turnwise bool // none
	turns    atomic.Uint64
}

// stretchMost is how many turns an actor that is busy alone has in one Step, which spares the switches between.
const stretchMost = 64

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
	fn    func()
	place int // in the heap, from 1 on; 0: it is not there
}

// NewEvent makes an event that Plan plans, as often as it likes.
func NewEvent(fn func()) *Event { return &Event{fn: fn} }

// Happen has it happen at once, whenever it is planned for.
func (e *Event) Happen() { e.fn() }

// At has fn called when the clock says ns, or at once in the next Step if that has passed.
func (w *World) At(ns int64, fn func()) *Event {
	e := NewEvent(fn)
	w.Plan(e, ns)
	return e
}

// Plan has an event happen when the clock says ns, as At does, and not when it was to happen before.
func (w *World) Plan(e *Event, ns int64) {
	w.Drop(e)
	if ns == Never {
		return
	}
	w.order++
	w.coming = append(w.coming, plan{})
	w.coming.up(len(w.coming)-1, plan{max(ns, w.now), w.order, e})
}

// After has fn called d from now.
func (w *World) After(d time.Duration, fn func()) *Event { return w.At(w.Later(d), fn) }

// Later is what the clock says d from now, or Never, if there is no number for that.
func (w *World) Later(d time.Duration) int64 { return Sum(w.now, int64(d)) }

// Sum adds two numbers, as far as there is a number for that. One of them is not negative.
func Sum(a, b int64) int64 {
	if sum := a + b; sum >= b || a < 0 {
		return sum
	}
	return Never
}

// Drop takes an event back, and reports whether it was still to come. A nil event never is.
func (w *World) Drop(e *Event) bool {
	if e == nil || e.place == 0 {
		return false
	}
	w.coming.remove(e.place - 1)
	return true
}

// due is when an event is to happen; false if it is not planned.
func (w *World) due(e *Event) (at int64, planned bool) {
	if e.place == 0 {
		return 0, false
	}
	return w.coming[e.place-1].at, true
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
	first := w.coming[0]
	w.coming.remove(0)
	w.now, w.limit, w.stretch = max(w.now, first.at), limit, stretchMost
	if w.turnwise {
		w.stretch = 0
	}
	first.event.fn()
	return true
}

// Turnwise has Step return after each turn of an actor, also of one that is busy alone, or not. It gives what was so.
// What happens is the same.
func (w *World) Turnwise(on bool) (was bool) {
	was, w.turnwise = w.turnwise, on
	return was
}

// Interrupt has the present Step return after the turn that runs.
func (w *World) Interrupt() { w.stretch = 0 }

// Turns is how many turns there were. Any goroutine may ask.
func (w *World) Turns() uint64 { return w.turns.Load() }

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

// plan is an event's place in time.
type plan struct {
	at    int64
	order uint64 // of those at one time, the first to be planned is the first
	event *Event
}

func (p *plan) before(o *plan) bool { return p.at < o.at || p.at == o.at && p.order < o.order }

// events is a heap of plans: none is before the one above it, at half its index.
type events []plan

// up puts a plan into the free place i, or before.
func (h events) up(i int, p plan) {
	for i > 0 {
		above := (i - 1) / 2
		if !p.before(&h[above]) {
			break
		}
		h.put(i, h[above])
		i = above
	}
	h.put(i, p)
}

// down puts a plan into the free place i, or behind.
func (h events) down(i int, p plan) {
	for {
		below := 2*i + 1
		if below >= len(h) {
			break
		}
		if other := below + 1; other < len(h) && h[other].before(&h[below]) {
			below = other
		}
		if !h[below].before(&p) {
			break
		}
		h.put(i, h[below])
		i = below
	}
	h.put(i, p)
}

func (h events) put(i int, p plan) {
	h[i] = p
	p.event.place = i + 1
}

// remove takes out what is at i.
func (h *events) remove(i int) {
	(*h)[i].event.place = 0
	n := len(*h) - 1
	last := (*h)[n]
	(*h)[n] = plan{}
	*h = (*h)[:n]
	switch {
	case i == n:
	case i > 0 && last.before(&(*h)[(i-1)/2]):
		h.up(i, last)
	default:
		h.down(i, last)
	}
}
