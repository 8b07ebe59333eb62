package stats

import (
	"iter"
	"math"
	"math/bits"
	"time"
)

const (
	lowest  = 8  // the first bound is 1<<lowest ns, 256 ns
	highest = 37 // the last is 1<<highest ns, 137 s
	// buckets counts the bucket below the first bound, two for each doubling, and the one from the last bound on.
	buckets = 1 + 2*(highest-lowest) + 1
)

// A Histogram counts durations in buckets. The bounds are powers of two and the middles between them, from 256 ns to
// 137 s, the same in all histograms. The zero value is empty. A Histogram in a Loop is a copy that no longer changes. A
// program may have its own, and add to it: only one goroutine or task at a time may use that. No method allocates or
// parks.
type Histogram struct {
	counts [buckets]uint64
	sum    int64
	max    int64
}

// Add counts a duration. A negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	ns := max(int64(d), 0)
	h.counts[bucket(uint64(ns))]++
	h.sum = sum(h.sum, ns)
	h.max = max(h.max, ns)
}

// sum adds two numbers that are not negative. If the sum overflows, it returns the greatest int64.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// bucket returns the index of the bucket that counts a duration.
func bucket(ns uint64) int {
	n := bits.Len64(ns)
	if n <= lowest {
		return 0
	}
	if n > highest {
		return buckets - 1
	}
	// The bit below the highest says which half of the doubling it is.
	return 1 + 2*(n-1-lowest) + int(ns>>(n-2)&1)
}

// bound returns the bound that durations of a bucket are below. The last bucket has none.
func bound(i int) int64 {
	if i == 0 {
		return 1 << lowest
	}
	octave, half := (i-1)/2+lowest, (i-1)%2
	return int64(2+half+1) << (octave - 1)
}

// Merge adds the durations that o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.sum = sum(h.sum, o.sum)
	h.max = max(h.max, o.max)
}

// Sub returns what was counted since before, an earlier copy of the same histogram. The Max of the result may be up to
// half too long, because only the overall maximum is kept exactly.
func (h Histogram) Sub(before Histogram) Histogram {
	since := Histogram{sum: h.sum - before.sum}
	for i, n := range h.counts {
		if since.counts[i] = n - before.counts[i]; since.counts[i] > 0 {
			since.max = h.max
			if i < buckets-1 {
				since.max = min(h.max, bound(i)-1)
			}
		}
	}
	return since
}

// Count returns how many durations were counted.
func (h Histogram) Count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// Sum returns the sum of all durations, or the greatest possible Duration if the sum is more than that.
func (h Histogram) Sum() time.Duration { return time.Duration(h.sum) }

// Max returns the longest duration that was counted.
func (h Histogram) Max() time.Duration { return time.Duration(h.max) }

// Quantile returns an upper bound of the q-quantile, at most half too long: 0.99 for the 99th percentile. A q below 0
// counts as 0, a q above 1 as 1. It returns 0 if nothing was counted or q is not a number.
func (h Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 || math.IsNaN(q) {
		return 0
	}
	rank := rank(min(max(q, 0), 1), total)
	var n uint64
	for i, c := range h.counts[:buckets-1] {
		if n += c; n >= rank {
			return time.Duration(min(bound(i)-1, h.max))
		}
	}
	return time.Duration(h.max)
}

// rank returns the least n, at least 1, for which n/total is q or more.
func rank(q float64, total uint64) uint64 {
	n := max(uint64(math.Ceil(q*float64(total))), 1)
	if n > 1 && float64(n-1)/float64(total) >= q { // 0.07 * 100 is more than 7 in binary, and 7/100 is 0.07
		n--
	}
	return n
}

// All returns the buckets in rising order: a bound, and how many durations are below it but not below the previous one.
// The last bucket has the bound 0 and counts all longer durations.
func (h Histogram) All() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, c := range h.counts {
			var b time.Duration
			if i < buckets-1 {
				b = time.Duration(bound(i))
			}
			if !yield(b, c) {
				return
			}
		}
	}
}
