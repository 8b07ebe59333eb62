package gmark

import "sync"

// stacksKnown reports whether the first words of a g are the bounds of its stack, as the compiler and the runtime have
// had it since Go 1.4: those of one whose stack is known to be in use have to be around it.
var stacksKnown = sync.OnceValue(func() bool {
	if !Exact {
		return false
	}
	found := make(chan bool)
	go func() {
		lo, hi := Current().bounds()
		sp := SP()
		found <- lo < sp && sp < hi && sizeOf(lo, hi) > 0
	}()
	return <-found
})

// The sizes that a stack may have are powers of two between these.
const (
	stackMin = 1 << 11
	stackMax = 1 << 30
)

// sizeOf is the size of a stack with these bounds; 0 if none has them.
func sizeOf(lo, hi uintptr) int {
	size := hi - lo
	if size < stackMin || size > stackMax || size&(size-1) != 0 {
		return 0
	}
	return int(size)
}
