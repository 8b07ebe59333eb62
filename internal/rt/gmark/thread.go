package gmark

import (
	"iter"
	"runtime"
	"sync"
)

// Thread is the identity of a thread, good only for as long as it lives. A loop never leaves
// its thread and lets no other goroutine have it, so a caller is in the loop, be it in a task
// or in an iterator that a task runs, exactly if their threads are the same.
//
// It is the word behind the stack's bounds and the panics in the runtime's g: its m. That is a
// layout which the runtime may change, so it is tried before it is believed: see ThreadsKnown.
type Thread uintptr

// CurrentThread returns the thread of the caller. It says something only where ThreadsKnown, and
// only to callers that can't be moved to another thread meanwhile, and to those that compare it
// with the thread of somebody who can't.
func CurrentThread() Thread { return Thread(getm()) }

// ThreadsKnown reports whether CurrentThread tells threads apart. Where it does not, callers have
// to ask the kernel (gettid), which costs a hundred times as much.
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

// threadTwice asks on the caller's own g and in a coroutine of its.
func threadTwice() (t [2]Thread) {
	t[0] = CurrentThread()
	next, stop := iter.Pull(func(yield func(Thread) bool) { yield(CurrentThread()) })
	defer stop()
	t[1], _ = next()
	return t
}
