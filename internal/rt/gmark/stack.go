package gmark

import "sync"

// stacksKnown reports whether the first words of a g are the bounds of its stack, as they have been since Go 1.4. It
// checks that they enclose an address on a stack that is in use.
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

// The sizes of stacks are powers of two between these.
const (
	stackMin = 1 << 11
	stackMax = 1 << 30
)

// sizeOf returns the size of a stack with these bounds; 0 if no stack has them.
func sizeOf(lo, hi uintptr) int {
	size := hi - lo
	if size < stackMin || size > stackMax || size&(size-1) != 0 {
		return 0
	}
	return int(size)
}
