package sched

import (
	"runtime"
	"sync"
)

// A loop that sleeps in the kernel keeps its P until the runtime's monitor takes
// it back, after 20 µs to 10 ms. So goroutines beside the loops need Ps of their
// own: while loops run, GOMAXPROCS is raised by their number. Loops that have run no
// task for a while, as where all that they have is used by goroutines, sleep for so long
// that they need none; then it is as it was, until one does.
//
// What the program sets meanwhile stands: the loops that run then have no part in
// it any more, and those that come later are added to it. An era is the time
// between two such changes.
var procs struct {
	sync.Mutex
	era   uint64
	loops int  // of this era
	old   int  // what it was before them
	set   int  // what we set last
	lent  bool // old, for as long as the loops are idle
	rest  int  // CPUs that all but the loops are kept to; 0: they are not
}

// procsPerCPU is how many Ps goroutines have for each CPU that they are kept to. A loop that wakes needs a P, and finds
// none while as many goroutines compute as there are Ps: then it waits until one has had its 10 ms, though its CPU is
// free. Beside fewer it is in time. Each P that computes is a thread more that has to get its turn there before a
// garbage collection stops the world, so it is not many.
const procsPerCPU = 8

// RaiseProcs makes room for n more loops and says what it did; lower takes it back. rest is how many CPUs all but these
// loops are kept to, 0 if they are not.
func RaiseProcs(n, rest int, warn func(string, ...any)) (lower func()) {
	procs.Lock()
	defer procs.Unlock()
	if !ours() {
		procs.old = runtime.GOMAXPROCS(0)
	}
	procs.lent = false
	era := procs.era
	procs.rest += rest
	addProcs(n)
	warn("GOMAXPROCS raised from %d to %d, so that goroutines have processors while loops sleep", procs.old, procs.set)
	return func() {
		procs.Lock()
		defer procs.Unlock()
		if ours() && era == procs.era {
			procs.rest -= rest
			addProcs(-n)
		}
	}
}

// ours reports whether GOMAXPROCS is what we have set for loops that run. If it is not, this
// era is over.
func ours() bool {
	if procs.loops > 0 && runtime.GOMAXPROCS(0) == procs.set {
		return true
	}
	procs.era++
	procs.loops, procs.rest = 0, 0
	return false
}

func addProcs(n int) {
	procs.loops += n
	setProcs()
}

func setProcs() {
	procs.set = procs.old
	if !procs.lent || procs.rest > 0 { // a P that is lent is not there in time
		procs.set = max(procs.set, procsPerCPU*procs.rest) + procs.loops
	}
	if procs.set != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(procs.set)
	}
}

// LendProcs has GOMAXPROCS count the loops or not, unless the program has set it.
func LendProcs(lent bool) {
	procs.Lock()
	defer procs.Unlock()
	if ours() && procs.lent != lent {
		procs.lent = lent
		setProcs()
	}
}

// Procs is GOMAXPROCS without what was added for loops.
func Procs() int {
	procs.Lock()
	defer procs.Unlock()
	if ours() {
		return procs.old
	}
	return runtime.GOMAXPROCS(0)
}
