package gmark

import "unsafe"

// Mark is the word in which a loop keeps the g of its current task.
// The zero Mark marks nobody. It must not be copied while in use.
type Mark struct {
	g uintptr
	n uintptr // how often somebody was marked, for who looks from outside
}

// G is the identity of a coroutine, good only for Set while it lives.
// It is not a pointer to the collector: the runtime keeps a g for ever.
type G uintptr

// Current returns the identity of the running goroutine or coroutine.
func Current() G { return G(getg()) }

// Set marks g. Only the thread of the loop may call it.
func (m *Mark) Set(g G) { m.g, m.n = uintptr(g), m.n+1 }

// Again says that the marked coroutine begins something else. Only the thread of the loop may call it.
func (m *Mark) Again() { m.n++ }

// Words is where two words of the size of a pointer are, to be copied from outside: the marked g, and a count that is
// another one when somebody else has been marked meanwhile, or Again.
func (m *Mark) Words() uintptr { return uintptr(unsafe.Pointer(m)) }

// Clear marks nobody. Only the thread of the loop may call it.
func (m *Mark) Clear() { m.g = 0 }

// IsCurrent reports whether the caller is the marked task. Any goroutine may ask.
func (m *Mark) IsCurrent() bool { return isG(&m.g) }

// SP is about where the caller's stack ends now; never 0.
func SP() uintptr { return getsp() }

// Prefetch asks the processor to bring near what resuming g will touch: the g
// itself, and the stack from sp on. Stale addresses do no harm: a hint never
// faults.
func (g G) Prefetch(sp uintptr) { prefetch(uintptr(g), sp) }

// StackSize is how large the stack of g is; 0 if that can't be told. g must not run, or be the caller.
func (g G) StackSize() int {
	if g == 0 || !stacksKnown() {
		return 0
	}
	return sizeOf(g.bounds())
}

// bounds is where its stack begins and ends, which the runtime keeps at the start of a g. The collector may be about
// to move it.
func (g G) bounds() (lo, hi uintptr) {
	words := *(**[2]uintptr)(unsafe.Pointer(&g))
	return words[0], words[1]
}
