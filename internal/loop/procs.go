package loop

import (
	"runtime"
	"sync"
)

// A loop that sleeps in the kernel keeps its P until the runtime's monitor takes
// it back, after 20 µs to 10 ms. So goroutines beside the loops need Ps of their
// own: while loops run, GOMAXPROCS is raised by their number.
//
// What the program sets meanwhile stands: the loops that run then have no part in
// it any more, and those that come later are added to it. An era is the time
// between two such changes.
var procs struct {
	sync.Mutex
	era   uint64
	loops int // of this era
	old   int // what it was before them
	set   int // what we set last
}

// raiseProcs makes room for n more loops and says what it did; release takes it back.
func raiseProcs(n int, warn func(string, ...any)) (release func()) {
	procs.Lock()
	defer procs.Unlock()
	if now := runtime.GOMAXPROCS(0); procs.loops == 0 || now != procs.set {
		procs.era++
		procs.loops, procs.old = 0, now
	}
	era := procs.era
	addProcs(n)
	warn("GOMAXPROCS raised from %d to %d, so that goroutines have processors while loops sleep", procs.old, procs.set)
	return sync.OnceFunc(func() { lowerProcs(n, era) })
}

func lowerProcs(n int, era uint64) {
	procs.Lock()
	defer procs.Unlock()
	if era == procs.era && runtime.GOMAXPROCS(0) == procs.set {
		addProcs(-n)
	}
}

func addProcs(n int) {
	procs.loops += n
	procs.set = procs.old + procs.loops
	runtime.GOMAXPROCS(procs.set)
}

// Procs is GOMAXPROCS without what was added for loops. G.
func Procs() int {
	procs.Lock()
	defer procs.Unlock()
	now := runtime.GOMAXPROCS(0)
	if procs.loops > 0 && now == procs.set {
		return procs.old
	}
	return now
}

// computeMax is how many CPU-bound calls may run beside the loops.
func computeMax(loops int) int { return max(1, Procs()-loops) }
