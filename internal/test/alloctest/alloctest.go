// Package alloctest counts allocations in tests, whatever else the process does meanwhile.
//
// testing.AllocsPerRun does not serve: it sets GOMAXPROCS to 1, for which concurrent loops would compete, and it counts
// only once, so that allocations of the runtime itself, of which a busy machine causes more, would be attributed to the
// caller.
package alloctest

import (
	"math"
	"runtime"
)

// tries bounds how often n calls are counted. Each count contains what f itself allocates, but not always what the
// process allocates beside it on a busy machine.
const tries = 40

// Least returns how often the process allocates in a call of f: the least of several counts of n calls each, after n
// calls that are not counted. The counting ends at a count of at most enough for each call.
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
