package sched

import (
	"os"
	"runtime"
	"sync"
)

// A loop that sleeps in the kernel keeps its P until the runtime's monitor takes it back, after 20 µs to 10 ms. So
// goroutines beside the loops need Ps of their own: while loops run, GOMAXPROCS is raised by their number. If no loop
// has run a task for a while, because goroutines use everything that the loops have, the loops sleep for so long that
// they need no Ps; GOMAXPROCS is then lowered again, until a loop runs a task.
//
// A value that the program sets meanwhile stays: the loops that run then no longer count in it, and loops that come
// later are added to it. An era is the time between two such changes by the program.
var procs struct {
	sync.Mutex
	era   uint64
	loops int  // of this era
	old   int  // GOMAXPROCS without them
	set   int  // what RaiseProcs or LendProcs has set last
	lent  bool // GOMAXPROCS is old while the loops are idle
	rest  int  // the CPUs that all threads except the loops' are bound to; 0: they are not bound
	ruled bool // old is the runtime's own choice, and not the program's
}

// procsPerCPU is how many Ps goroutines have for each CPU that they are bound to. A loop that wakes needs a P, and
// finds none while as many goroutines compute as there are Ps: then it waits until one has had its 10 ms, although its
// own CPU is free. With more Ps it need not wait. But each P that computes is one more thread that has to get its turn
// on these CPUs before a garbage collection stops the world, so there are not many.
const procsPerCPU = 8

// RaiseProcs raises GOMAXPROCS for n more loops and logs that by warn; lower undoes it. rest is the number of CPUs
// that all threads except the loops' are bound to, 0 if they are not.
func RaiseProcs(n, rest int, warn func(string, ...any)) (lower func()) {
	procs.Lock()
	defer procs.Unlock()
	if !ours() {
		procs.old = runtime.GOMAXPROCS(0)
		procs.ruled = ruled(procs.old)
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

// ours reports whether GOMAXPROCS is still what this package has set for the running loops. If not, the era is over.
func ours() bool {
	if procs.loops > 0 && runtime.GOMAXPROCS(0) == procs.set {
		return true
	}
	procs.era++
	procs.loops, procs.rest = 0, 0
	return false
}

// ruled reports whether n, the present GOMAXPROCS, is what the runtime has chosen by the CPUs and their quota, which it
// follows until a program sets a value. A value that the program has set, and that happens to be the same, counts too.
func ruled(n int) bool {
	if os.Getenv("GOMAXPROCS") != "" {
		return false
	}
	runtime.SetDefaultGOMAXPROCS() // does nothing if the runtime has chosen n
	if runtime.GOMAXPROCS(0) == n {
		return true
	}
	runtime.GOMAXPROCS(n)
	return false
}

// addProcs adds loops. Behind the last one the runtime follows the CPUs again, if it did so before.
func addProcs(n int) {
	procs.loops += n
	if procs.loops == 0 && procs.ruled {
		runtime.SetDefaultGOMAXPROCS()
		return
	}
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

// LendProcs sets whether GOMAXPROCS leaves out the loops, unless the program has set it.
func LendProcs(lent bool) {
	procs.Lock()
	defer procs.Unlock()
	if ours() && procs.lent != lent {
		procs.lent = lent
		setProcs()
	}
}

// Procs returns GOMAXPROCS without what was added for loops.
func Procs() int {
	procs.Lock()
	defer procs.Unlock()
	if ours() {
		return procs.old
	}
	return runtime.GOMAXPROCS(0)
}
