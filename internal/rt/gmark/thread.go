package gmark

import (
	"iter"
	"runtime"
	"sync"
)

// Thread identifies a thread while the thread lives. A loop never leaves its thread, and no other goroutine runs on
// that. So a caller is in the loop, in a task or in an iterator that a task runs, exactly if its thread is the loop's.
//
// It is the word behind the stack's bounds and the panics in the runtime's g: its m. The runtime may change this
// layout, so it is tested before it is used: see ThreadsKnown.
type Thread uintptr

// CurrentThread returns the caller's thread. It is valid only if ThreadsKnown, and only for callers that can't be
// moved to another thread meanwhile, or that compare it with the thread of a goroutine that can't.
func CurrentThread() Thread { return Thread(getm()) }

// ThreadsKnown reports whether CurrentThread tells threads apart. If not, callers have to ask the kernel (gettid),
// which costs a hundred times as much.
var ThreadsKnown = sync.OnceValue(func() bool {
	if !Exact {
		return false
	}
	here, there := make(chan [2]Thread), make(chan [2]Thread)
	done := make(chan struct{})
	for _, c := range []chan [2]Thread{here, there} {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			c <- threadTwice()
			<-done // two threads at the same time
		}()
	}
	a, b := <-here, <-there
	close(done)
	return a[0] != 0 && a[0] == a[1] && b[0] == b[1] && a[0] != b[0]
})

// threadTwice returns the thread as seen from the caller's own g, and from a coroutine of the caller.
func threadTwice() (t [2]Thread) {
	t[0] = CurrentThread()
	next, stop := iter.Pull(func(yield func(Thread) bool) { yield(CurrentThread()) })
	defer stop()
	t[1], _ = next()
	return t
}
