// Package world holds the time and the chance of a simulated world: its coming events, in the order of a virtual
// clock, and random choices, which a seed decides.
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

// World is a clock, the coming events, and a source of random choices.
type World struct {
	now    int64
	order  uint64
	limit  int64 // of the present Step
	coming events
	rand   *rand.Rand

	stretch  int  // how many more turns an actor may have in the present Step
	turnwise bool // none
	turns    atomic.Uint64
}

// stretchMost bounds the turns of an actor that is busy alone in one Step, which saves the switches between them.
const stretchMost = 64

// Start is the time of a new world's clock, in nanoseconds: not 0, which programs take for no time.
const Start = int64(time.Hour)

// New makes a world from a seed.
func New(seed uint64) *World {
	return &World{now: Start, rand: rand.New(rand.NewPCG(seed, 0x52696e676f))}
}

// NewTape is New for a world whose first random choices come from a tape, such as a fuzzer's input.
func NewTape(seed uint64, tape []byte) *World {
	w := New(seed)
	w.rand = rand.New(&taped{tape: tape, then: w.rand})
	return w
}

// taped is a random source whose first values are on a tape.
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

// Now returns the monotonic time in nanoseconds.
func (w *World) Now() int64 { return w.now }

// Rand returns the world's random generator. Its numbers depend on the order of calls.
func (w *World) Rand() *rand.Rand { return w.rand }

// Chance returns true with the probability p. It draws no random number if the result is certain.
func (w *World) Chance(p float64) bool { return p >= 1 || p > 0 && w.rand.Float64() < p }

// Event is a call of a function at a time of the world.
type Event struct {
	fn    func()
	place int // its index in the heap, from 1 on; 0: it is not planned
}

// NewEvent makes an event, which Plan can plan any number of times.
func NewEvent(fn func()) *Event { return &Event{fn: fn} }

// Happen calls the event's function now, whether or not it is planned.
func (e *Event) Happen() { e.fn() }

// At calls fn when the clock reaches ns, or in the next Step if that has passed.
func (w *World) At(ns int64, fn func()) *Event {
	e := NewEvent(fn)
	w.Plan(e, ns)
	return e
}

// Plan makes an event happen when the clock reaches ns, as At does. An earlier plan for the event is dropped.
func (w *World) Plan(e *Event, ns int64) {
	w.Drop(e)
	if ns == Never {
		return
	}
	w.order++
	w.coming = append(w.coming, plan{})
	w.coming.up(len(w.coming)-1, plan{max(ns, w.now), w.order, e})
}

// After calls fn d from now.
func (w *World) After(d time.Duration, fn func()) *Event { return w.At(w.Later(d), fn) }

// Later returns the time d from now, or Never if that exceeds an int64.
func (w *World) Later(d time.Duration) int64 { return Sum(w.now, int64(d)) }

// Sum adds two numbers, of which one is not negative. It returns the greatest int64 on overflow.
func Sum(a, b int64) int64 {
	if sum := a + b; sum >= b || a < 0 {
		return sum
	}
	return Never
}

// Drop cancels an event, and reports whether it was still planned. For a nil event it returns false.
func (w *World) Drop(e *Event) bool {
	if e == nil || e.place == 0 {
		return false
	}
	w.coming.remove(e.place - 1)
	return true
}

// due returns when an event is to happen; planned is false if it is not planned.
func (w *World) due(e *Event) (at int64, planned bool) {
	if e.place == 0 {
		return 0, false
	}
	return w.coming[e.place-1].at, true
}

// Next returns when the next event is due; ok is false if there is none.
func (w *World) Next() (at int64, ok bool) {
	if len(w.coming) == 0 {
		return 0, false
	}
	return w.coming[0].at, true
}

// Step moves the clock to the next event, if that is not later than the limit, and calls it. If there is none, Step
// returns false, and the clock stays.
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

// Turnwise sets whether Step returns after each turn of an actor, even of one that is busy alone. It returns the old
// setting. What happens is the same.
func (w *World) Turnwise(on bool) (was bool) {
	was, w.turnwise = w.turnwise, on
	return was
}

// Interrupt makes the present Step return after the turn that runs.
func (w *World) Interrupt() { w.stretch = 0 }

// Turns returns how many turns there were. Any goroutine may call it.
func (w *World) Turns() uint64 { return w.turns.Load() }

// free reports whether no event is due until ns, and the present Step lasts as long.
func (w *World) free(ns int64) bool {
	return ns <= w.limit && (len(w.coming) == 0 || w.coming[0].at > ns)
}

// MoveTo moves the clock to ns. Events that are due by then must have happened.
func (w *World) MoveTo(ns int64) {
	if at, ok := w.Next(); ok && at < ns {
		panic("world: the clock is to pass an event")
	}
	w.now = max(w.now, ns)
}

// plan is an event and its time.
type plan struct {
	at    int64
	order uint64 // of events with the same time, the one planned first comes first
	event *Event
}

func (p *plan) before(o *plan) bool { return p.at < o.at || p.at == o.at && p.order < o.order }

// events is a heap of plans: none is earlier than its parent, at half its index.
type events []plan

// up puts a plan into the free place i, or above it.
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

// down puts a plan into the free place i, or below it.
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

// remove removes the plan at i.
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
