package gmark

import (
	"iter"
	"runtime"
	"testing"
)

// The size of a coroutine's stack is told while it is parked, and grows with what it has on it.
func TestStackSize(t *testing.T) {
	if !Exact {
		t.Skip("no g on " + runtime.GOARCH)
	}
	if !stacksKnown() {
		t.Fatalf("%s on %s: the bounds of a stack are not at the start of its g", runtime.Version(), runtime.GOARCH)
	}
	var g G
	next, stop := iter.Pull(func(yield func(bool) bool) {
		g = Current()
		yield(true)
		deep(200, func() { yield(true) })
	})
	defer stop()
	next()
	small := g.StackSize()
	next()
	large := g.StackSize()
	if small < stackMin || large < 200*frame || large <= small {
		t.Errorf("%d bytes, and %d with %d frames of %d bytes on it", small, large, 200, frame)
	}
	if G(0).StackSize() != 0 {
		t.Error("nobody has a stack")
	}
}

const frame = 256

// deep calls f with so many frames below it.
func deep(n int, f func()) byte {
	var room [frame]byte
	room[n%frame] = byte(n)
	if n == 0 {
		f()
		return room[0]
	}
	return deep(n-1, f) + room[n%frame]
}
