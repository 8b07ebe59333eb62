package gmark

// Mark is the word in which a loop keeps the g of its current task.
// The zero Mark marks nobody. It must not be copied while in use.
type Mark struct {
	g uintptr
}

// G is the identity of a coroutine, good only for Set while it lives.
// It is not a pointer to the collector: the runtime keeps a g for ever.
type G uintptr

// Current returns the identity of the running goroutine or coroutine.
func Current() G { return G(getg()) }

// Set marks g. Only the thread of the loop may call it.
func (m *Mark) Set(g G) { m.g = uintptr(g) }

// Clear marks nobody. Only the thread of the loop may call it.
func (m *Mark) Clear() { m.g = 0 }

// IsCurrent reports whether the caller is the marked task. Any goroutine may ask.
func (m *Mark) IsCurrent() bool { return isG(&m.g) }

// SP is about where the caller's stack ends now.
func SP() uintptr { return getsp() }

// Prefetch asks the processor to bring near what resuming g will touch: the g
// itself, and the stack from sp on. Stale addresses do no harm: a hint never
// faults.
func (g G) Prefetch(sp uintptr) { prefetch(uintptr(g), sp) }
