package loop

import (
	"runtime"
	"sync"
)

// A loop that sleeps in the kernel keeps its P until the runtime's monitor takes
// it back, after 20 µs to 10 ms. So goroutines beside the loops need Ps of their
// own: while loops run, GOMAXPROCS is raised by their number.
var procs struct {
	sync.Mutex
	loops int
	old   int // what it was before the first Run
	set   int // what we set last
}

// raiseProcs makes room for n more loops and says what it did; release takes it back.
func raiseProcs(n int, warn func(string, ...any)) (release func()) {
	procs.Lock()
	defer procs.Unlock()
	if procs.loops == 0 {
		procs.old = runtime.GOMAXPROCS(0)
	}
	procs.loops += n
	procs.set = procs.old + procs.loops
	runtime.GOMAXPROCS(procs.set)
	warn("GOMAXPROCS raised from %d to %d, so that goroutines have processors while loops sleep", procs.old, procs.set)
	return sync.OnceFunc(func() { lowerProcs(n) })
}

func lowerProcs(n int) {
	procs.Lock()
	defer procs.Unlock()
	procs.loops -= n
	if runtime.GOMAXPROCS(0) != procs.set {
		return // somebody else has set it since: theirs stands
	}
	procs.set = procs.old + procs.loops
	runtime.GOMAXPROCS(procs.set)
}

// computeMax is how many CPU-bound calls may run beside the loops.
func computeMax(loops int) int {
	procs.Lock()
	defer procs.Unlock()
	before := procs.old
	if procs.loops == 0 {
		before = runtime.GOMAXPROCS(0)
	}
	return max(1, before-loops)
}
