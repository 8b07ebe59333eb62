package measure

import (
	"math/bits"
	"time"
)

const (
	splitBits = 7
	split     = 1 << splitBits
	// Values below 2*split have a bucket each; every power of two above adds split more.
	buckets = (65 - splitBits) * split
)

// Histogram counts durations in buckets of about equal relative width: each power of two is split into 128, so that a
// quantile is right to within 0.8 %. Record computes an index and increments a counter. It neither allocates nor locks:
// only one goroutine or task may use a Histogram at a time. The zero value is empty. Package stats has a smaller
// histogram, for loops.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	max    time.Duration
}

// Record counts d; a negative d counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[index(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Count returns the number of durations recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest duration recorded, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Merge adds the counts of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// Reset forgets everything recorded.
func (h *Histogram) Reset() { *h = Histogram{} }

// Quantile returns the duration that a share q of the recorded ones do not exceed: 0.5 is for the median, 0.99 for the
// 99th percentile. The result is the middle of the bucket that holds the duration, or Max if that is less; 0 if nothing
// was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q * float64(h.total))
	rank = min(rank, h.total-1)
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen > rank {
			low, width := bounds(i)
			return min(time.Duration(low+width/2), h.max)
		}
	}
	panic("measure: the buckets hold less than the total")
}

// index returns the bucket of a value.
func index(v uint64) int {
	if v < 2*split {
		return int(v)
	}
	shift := bits.Len64(v) - splitBits - 1
	return shift*split + int(v>>shift)
}

// bounds is the inverse of index: it returns the lowest value of bucket i, and how many values belong to the bucket.
func bounds(i int) (low, width uint64) {
	if i < 2*split {
		return uint64(i), 1
	}
	shift := i/split - 1
	return uint64(i-shift*split) << shift, 1 << shift
}
