package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations in ranges whose ends are 1/32 apart at most.
type histogram struct {
	n      int64
	counts [60 * 32]int64
}

func (h *histogram) count(d time.Duration) {
	h.n++
	h.counts[rangeOf(uint64(max(d, 0)))]++
}

func (h *histogram) add(o *histogram) {
	h.n += o.n
	for i, n := range o.counts {
		h.counts[i] += n
	}
}

// quantile gives the upper end of the range in which it lies.
func (h *histogram) quantile(q float64) time.Duration {
	want := int64(q * float64(h.n))
	for i, n := range h.counts {
		if want -= n; want < 0 {
			return time.Duration(rangeEnd(i))
		}
	}
	return 0
}

// rangeOf: up to 63 each number is a range, then the highest six bits are.
func rangeOf(n uint64) int {
	shift := max(bits.Len64(n)-6, 0)
	return shift*32 + int(n>>shift)
}

func rangeEnd(i int) uint64 {
	if i < 64 {
		return uint64(i)
	}
	shift := i/32 - 1
	return (uint64(i-shift*32)+1)<<shift - 1
}
