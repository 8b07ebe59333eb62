// Package hist counts durations by size, in memory of a fixed size and without an allocation.
//
// Bounds are powers of two and the middles between them, so that adding is a shift and a count, and what a
// [Histogram] says of a quantile is at most a half too much.
package hist

import (
	"iter"
	"math/bits"
	"time"
)

const (
	lowest  = 8  // the first bound is 1<<lowest ns, 256 ns
	highest = 37 // the last is 1<<highest ns, 137 s
	// Buckets are those below the first bound, two for each doubling, and those from the last bound on.
	Buckets = 1 + 2*(highest-lowest) + 1
)

// Histogram is durations by size. Its zero value is empty. One at a time may use it; a copy is a snapshot.
type Histogram struct {
	counts [Buckets]uint64
	sum    int64
	max    int64
}

// Add counts a duration, in nanoseconds. One below 0 counts as 0.
func (h *Histogram) Add(ns int64) {
	ns = max(ns, 0)
	h.counts[bucket(uint64(ns))]++
	h.sum += ns
	h.max = max(h.max, ns)
}

// bucket is which one counts a duration.
func bucket(ns uint64) int {
	n := bits.Len64(ns)
	if n <= lowest {
		return 0
	}
	if n > highest {
		return Buckets - 1
	}
	// The bit below the highest says which half of the doubling it is.
	return 1 + 2*(n-1-lowest) + int(ns>>(n-2)&1)
}

// bound is what durations of a bucket are less than. The last bucket has none.
func bound(i int) int64 {
	if i == 0 {
		return 1 << lowest
	}
	octave, half := (i-1)/2+lowest, (i-1)%2
	return int64(2+half+1) << (octave - 1)
}

// Merge adds what another has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Sub is what was counted since before was copied. The longest of that is not known exactly: Max is then the bound
// of its bucket, or the longest of all if that is less.
func (h *Histogram) Sub(before *Histogram) Histogram {
	since := Histogram{sum: h.sum - before.sum}
	for i, n := range h.counts {
		if since.counts[i] = n - before.counts[i]; since.counts[i] > 0 {
			since.max = h.max
			if i < Buckets-1 {
				since.max = min(h.max, bound(i)-1)
			}
		}
	}
	return since
}

// Count is how many durations there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// Sum is all of them together.
func (h *Histogram) Sum() time.Duration { return time.Duration(h.sum) }

// Max is the longest.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Quantile is a duration that the share q of them, 0 to 1, does not exceed: the bound of a bucket, or Max if that is
// less. It is 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := uint64(min(max(q, 0), 1) * float64(total))
	var n uint64
	for i, c := range h.counts[:Buckets-1] {
		if n += c; n > 0 && n >= rank {
			return time.Duration(min(bound(i)-1, h.max))
		}
	}
	return time.Duration(h.max)
}

// All gives the bound of each bucket and how many durations are less than it and not less than the bound before. The
// last bucket has the bound 0: none.
func (h *Histogram) All() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, c := range h.counts {
			var b time.Duration
			if i < Buckets-1 {
				b = time.Duration(bound(i))
			}
			if !yield(b, c) {
				return
			}
		}
	}
}
