package loop

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"ringo/internal/gmark"
)

// places finds a worker by its g, so that a call which was given no loop knows in
// whose task it runs without a look at every loop's mark: those are written all the
// time, each by another processor. What is read here changes when workers come and
// go.
//
// A chain is changed under its lock and walked without: a worker that is taken out
// keeps its link, and leads those who stand on it back to the rest.
var places [placesMax]struct {
	first atomic.Pointer[worker]
	mu    sync.Mutex
}

// placesMax is a power of two. With more workers the chains become longer.
const (
	placesBits = 12
	placesMax  = 1 << placesBits
)

func placeOf(g gmark.G) int {
	return int(uint64(g) * 0x9E3779B97F4A7C15 >> (64 - placesBits)) // the golden ratio spreads neighbours
}

// known gives the loop whose worker the caller is; nil for others, and where a g has
// no mark. G.
func known() *Loop {
	if !gmark.Exact {
		return nil
	}
	g := gmark.Current()
	for w := places[placeOf(g)].first.Load(); w != nil; w = w.near.Load() {
		if w.g == g {
			return w.l
		}
	}
	return nil
}

// Known is the loop of the task that calls, found by its g alone: nil also for an
// iterator that a task runs, which Current finds. G.
func Known() *Loop { return known() }

// announce makes the worker known, on its own g.
func (w *worker) announce() {
	p := &places[placeOf(w.g)]
	p.mu.Lock()
	defer p.mu.Unlock()
	w.near.Store(p.first.Load())
	p.first.Store(w)
}

// withdraw takes it out, before its g may become a stranger's.
func (w *worker) withdraw() {
	p := &places[placeOf(w.g)]
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := &p.first; ; at = &at.Load().near {
		if at.Load() == w {
			at.Store(w.near.Load())
			return
		}
	}
}

// GiveWay is Burst for a call that was given no loop; it does nothing for ordinary
// goroutines. The error is why a task may not go on. G, may park.
//
// An iterator in a task passes for a goroutine here: only its thread's id tells, and to
// ask for that costs more than what calls with GiveWay do. So strangers are asked once
// in strangerEvery calls, and an iterator's count for so many.
func GiveWay() error {
	l := known()
	if l == nil {
		if rand.Uint32()%strangerEvery != 0 {
			return nil
		}
		if l, _ = currentByThread(); l == nil {
			return nil
		}
		l.burst += strangerEvery - 1
		l.calls += strangerEvery - 1
	}
	if !l.Burst() {
		return l.Cause()
	}
	return nil
}

const strangerEvery = 64

// Spend counts a call that neither parks nor lets its task give way, if the caller is
// a task. G.
func Spend() {
	if l := known(); l != nil {
		l.Spend()
	}
}
