// Package hist counts latencies in buckets of equal relative width.
//
// A power of two is split into 128 buckets, so a quantile is right to within 0.8 %. Recording is an index computation
// and an increment: no allocation, no lock. A Hist belongs to one goroutine.
package hist

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

// Hist is a histogram of durations. The zero value is empty and ready for use.
type Hist struct {
	counts [buckets]uint64
	total  uint64
	max    time.Duration
}

// Record counts d; a negative d counts as zero.
func (h *Hist) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[index(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Count is the number of durations recorded.
func (h *Hist) Count() uint64 { return h.total }

// Max is the longest duration recorded, exactly.
func (h *Hist) Max() time.Duration { return h.max }

// Reset forgets everything recorded.
func (h *Hist) Reset() { *h = Hist{} }

// Quantile is the duration that a share q of the recorded ones do not exceed: 0.5 is the median, 0.99 the 99th
// percentile. It is the middle of the bucket that holds it, and 0 if nothing was recorded.
func (h *Hist) Quantile(q float64) time.Duration {
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
	panic("hist: the buckets hold less than the total")
}

func index(v uint64) int {
	if v < 2*split {
		return int(v)
	}
	shift := bits.Len64(v) - splitBits - 1
	return shift*split + int(v>>shift)
}

// bounds is the inverse of index: the lowest value of bucket i and the number of values it holds.
func bounds(i int) (low, width uint64) {
	if i < 2*split {
		return uint64(i), 1
	}
	shift := i/split - 1
	return uint64(i-shift*split) << shift, 1 << shift
}
