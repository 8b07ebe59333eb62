package gmark

import "unsafe"

// Mark is the word in which a loop keeps the g of its current task. The zero Mark marks nothing. A Mark must not be
// copied while in use.
type Mark struct {
	g uintptr
	n uintptr // counts the marks, for observers on other threads
}

// G identifies a coroutine. It is good for Set only while the coroutine lives. The garbage collector does not see it
// as a pointer, which does no harm: the runtime keeps a g for ever.
type G uintptr

// Current returns the identity of the running goroutine or coroutine.
func Current() G { return G(getg()) }

// Set marks g. Only the thread of the loop may call it.
func (m *Mark) Set(g G) { m.g, m.n = uintptr(g), m.n+1 }

// Again records that the marked coroutine starts something else. Only the thread of the loop may call it.
func (m *Mark) Again() { m.n++ }

// Words returns the address of two words of pointer size, which other threads may copy: the marked g, and a count that
// changes with each Set and Again.
func (m *Mark) Words() uintptr { return uintptr(unsafe.Pointer(m)) }

// Clear removes the mark. Only the thread of the loop may call it.
func (m *Mark) Clear() { m.g = 0 }

// IsCurrent reports whether the caller is the marked task. Any goroutine may ask.
func (m *Mark) IsCurrent() bool { return isG(&m.g) }

// SP returns about where the caller's stack ends now; never 0.
func SP() uintptr { return getsp() }

// Prefetch asks the processor to load what resuming g will touch: the g itself, and the stack from sp on. Stale
// addresses do no harm: a hint never faults.
func (g G) Prefetch(sp uintptr) { prefetch(uintptr(g), sp) }

// StackSize returns the size of g's stack; 0 if unknown. g must not run, or must be the caller.
func (g G) StackSize() int {
	if g == 0 || !stacksKnown() {
		return 0
	}
	return sizeOf(g.bounds())
}

// bounds returns the bounds of g's stack, which the runtime keeps at the start of a g. The garbage collector may be
// about to move the stack.
func (g G) bounds() (lo, hi uintptr) {
	words := *(**[2]uintptr)(unsafe.Pointer(&g))
	return words[0], words[1]
}
