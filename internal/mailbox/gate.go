package mailbox

import (
	"fmt"
	"sync/atomic"
)

// A Gate decides who wakes a sleeping owner and who closes the descriptor that
// does it. The zero value is open, with its owner awake. It must not be copied.
//
//	            Notify                       Notify, must signal
//	  awake ───────────────▶ notified ◀─────────────────────── asleep
//	  │ ▲ ▲                     │                               ▲ │
//	  │ │ └─────────────────────┘                               │ │
//	  │ │   Awake, or Announce, which then refuses              │ │
//	  │ └───────────────────── Awake ───────────────────────────┼─┘
//	  └─────────────────────── Announce ────────────────────────┘
//
//	Close leads from each of the three to closed, which nothing leaves; there
//	Notify does nothing, for ever.
//
// A notifier that was told to signal writes to a descriptor some time later, and
// the owner may close the gate before it does. So the same atomic word counts the
// notifiers between Notify and Signalled, and the descriptor is closed by the last
// of them or, if there is none, by Close's caller:
//
//	bits 0..1   state
//	bits 2..31  notifiers that were told to signal and have not yet called Signalled
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

// The transitions are pure, so that a test can walk all interleavings of exactly
// this table. A method below applies one of them atomically.

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

// Notify tells the owner that there is something for it. Any goroutine may call
// it, after the something can be found; it never waits.
//
// If mustSignal is true the owner sleeps and this caller, and no other, must
// signal the descriptor and then call [Gate.Signalled]. Until then the descriptor
// stays open. Calls are coalesced: at most one per sleep is told to signal.
func (g *Gate) Notify() (mustSignal bool) {
	for {
		w := word(g.word.Load())
		next, must := w.notify()
		// Leaving without a store is safe in notified: the owner has not begun
		// the look round that ends this state, and that one will find what
		// this caller left.
		if next == w || g.swap(w, next) {
			return must
		}
	}
}

// Signalled ends what a Notify that returned true began. If mustClose is true
// the gate was closed meanwhile and the caller must close the descriptor.
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

// Announce says that the owner is about to sleep. Only the owner may call it,
// and only while awake. If it returns true the next Notify signals the
// descriptor, so the owner may wait on it, and calls [Gate.Awake] when it has. If
// false, somebody notified since the last Awake, or the gate is closed: the
// owner stays awake and must look round again.
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

// Awake says that the owner is about to look round, whatever ended its sleep and
// whether it slept or not, and reports whether anybody notified since it last
// said so. Only the owner may call it. What was pushed before a Notify that
// returned earlier is found by a Take that follows.
//
// A signal may still be under way from a notifier that the owner did not wait
// for; it ends a later sleep for nothing.
func (g *Gate) Awake() (notified bool) {
	for {
		w := word(g.word.Load())
		next, was := w.awake()
		if next == w || g.swap(w, next) {
			return was
		}
	}
}

// Close makes every later Notify a no-op. Only the owner may call it. If
// mustClose is true no notifier is about to signal and the caller must close the
// descriptor; otherwise the last such notifier's [Gate.Signalled] says so.
// Closing again returns false.
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
