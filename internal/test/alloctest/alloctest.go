// Package alloctest counts allocations in tests, beside whatever else the process does.
//
// testing.AllocsPerRun sets GOMAXPROCS to 1, over which loops would fight, and counts once: the runtime's own
// allocations, of which there are more on a busy machine, would be the caller's.
package alloctest

import (
	"math"
	"runtime"
)

// tries bounds how often n calls are counted: what f itself allocates is in each count, what a busy machine has the
// process do beside it is not.
const tries = 40

// Least gives how often the process allocates in a call of f: the least of some counts of n calls, after as many that
// are not counted. Enough ends the counting.
func Least(n int, enough float64, f func()) (each float64) {
	for range n {
		f()
	}
	each = math.Inf(1)
	var before, after runtime.MemStats
	for try := 0; try < tries && each > enough; try++ {
		runtime.ReadMemStats(&before)
		for range n {
			f()
		}
		runtime.ReadMemStats(&after)
		each = min(each, float64(after.Mallocs-before.Mallocs)/float64(n))
	}
	return each
}
