package mailbox

import (
	"fmt"
	"sync/atomic"
)

// A Gate decides which thread wakes a sleeping owner, and which one closes the descriptor that is used for that. The
// zero value is open, with its owner awake. It must not be copied.
//
//	            Notify                       Notify, must signal
//	  awake ───────────────▶ notified ◀─────────────────────── asleep
//	  │ ▲ ▲                     │                               ▲ │
//	  │ │ └─────────────────────┘                               │ │
//	  │ │   Awake, or Announce, which then refuses              │ │
//	  │ └───────────────────── Awake ───────────────────────────┼─┘
//	  └─────────────────────── Announce ────────────────────────┘
//
//	Close leads from each of the three to closed, which is final. In it
//	Notify does nothing.
//
// A notifier that has to signal writes to the descriptor some time later, and the owner may close the gate before that.
// So the same atomic word counts the notifiers between Notify and Signalled. The last of them closes the descriptor, or
// Close's caller if there is none:
//
//	bits 0..1   state
//	bits 2..31  notifiers that have to signal and have not yet called Signalled
type Gate struct{ word atomic.Uint32 }

type word uint32

const (
	stateAwake word = iota
	stateNotified
	stateAsleep
	stateClosed

	stateMask word = 3
	signaller word = 4 // one notifier in the count
)

// The transitions are pure functions, so that a test can walk all interleavings of exactly this table. Each method
// below applies one of them atomically.

func (w word) state() word          { return w & stateMask }
func (w word) with(state word) word { return w&^stateMask | state }

func (w word) notify() (next word, mustSignal bool) {
	switch w.state() {
	case stateAwake:
		return w.with(stateNotified), false
	case stateAsleep:
		return w.with(stateNotified) + signaller, true
	}
	return w, false
}

func (w word) signalled() (next word, mustClose bool) {
	next = w - signaller
	return next, next == stateClosed
}

func (w word) announce() (next word, ok bool) {
	switch w.state() {
	case stateAwake:
		return w.with(stateAsleep), true
	case stateNotified:
		return w.with(stateAwake), false
	}
	return w, false
}

func (w word) awake() (next word, notified bool) {
	if w.state() == stateClosed {
		return w, false
	}
	return w.with(stateAwake), w.state() == stateNotified
}

func (w word) close() (next word, mustClose bool) {
	next = w.with(stateClosed)
	return next, next != w && next == stateClosed
}

// Notify records that there is something for the owner. The caller must have put it where the owner finds it before.
// Any goroutine may call Notify; it never waits.
//
// If mustSignal is true the owner sleeps, and this caller, and no other, must signal the descriptor and then call
// [Gate.Signalled]. Until then the descriptor stays open. Calls are coalesced: at most one per sleep has to signal.
func (g *Gate) Notify() (mustSignal bool) {
	for {
		w := word(g.word.Load())
		next, must := w.notify()
		// Leaving without a store is safe in the state notified: the owner has not yet called the Awake or Announce
		// that ends the state, and when it then looks, it finds what this caller has left.
		if next == w || g.swap(w, next) {
			return must
		}
	}
}

// Signalled must follow the signal that a Notify has asked for. If mustClose is true the gate was closed meanwhile, and
// the caller must close the descriptor.
func (g *Gate) Signalled() (mustClose bool) {
	for {
		w := word(g.word.Load())
		if w < signaller {
			panic(fmt.Sprintf("mailbox: Signalled without a Notify that asked for it (word %#x)", uint32(w)))
		}
		if next, must := w.signalled(); g.swap(w, next) {
			return must
		}
	}
}

// Announce records that the owner is about to sleep. Only the owner may call it, and only while awake. If it returns
// true the next notifier signals the descriptor, so the owner may wait on that, and calls [Gate.Awake] afterwards. If
// false, there was a Notify since the last Awake, or the gate is closed: the owner stays awake and must look for work
// again.
func (g *Gate) Announce() bool {
	for {
		w := word(g.word.Load())
		if w.state() == stateAsleep {
			panic("mailbox: Announce while asleep")
		}
		next, ok := w.announce()
		if next == w || g.swap(w, next) {
			return ok
		}
	}
}

// Awake records that the owner is awake and about to look for work, whether or not it has slept, and reports whether
// there was a Notify since its last Awake, or since the last Announce that returned false. Only the owner may call it.
// A Take after it finds all that was pushed before a Notify that has returned.
//
// The signal of a notifier may still be under way, if something else has ended the sleep. It then ends a later sleep
// without need.
func (g *Gate) Awake() (notified bool) {
	for {
		w := word(g.word.Load())
		next, was := w.awake()
		if next == w || g.swap(w, next) {
			return was
		}
	}
}

// Close makes every later Notify a no-op. Only the owner may call it. If mustClose is true no notifier is about to
// signal, and the caller must close the descriptor; otherwise the last such notifier closes it, as its
// [Gate.Signalled] returns true. Closing again returns false.
func (g *Gate) Close() (mustClose bool) {
	for {
		w := word(g.word.Load())
		next, must := w.close()
		if next == w || g.swap(w, next) {
			return must
		}
	}
}

func (g *Gate) swap(old, next word) bool {
	return g.word.CompareAndSwap(uint32(old), uint32(next))
}
