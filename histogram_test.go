package ringo

import (
	"testing"
	"time"
)

// The public histogram says what the one inside counts.
func TestHistogram(t *testing.T) {
	var h Histogram
	for ns := range int64(10_000) {
		h.engine().Add(ns)
	}
	before := h
	h.engine().Add(int64(time.Minute))
	if h.Count() != 10_001 || h.Max() != time.Minute || h.Sum() != 10_000*9_999/2+time.Minute {
		t.Errorf("count %d, max %v, sum %v", h.Count(), h.Max(), h.Sum())
	}
	if q := h.Quantile(0.5); q < 5_000 || q > 7_500 {
		t.Errorf("the median is %v", q)
	}
	since := h.Sub(before)
	if since.Count() != 1 || since.Max() != time.Minute || since.Sum() != time.Minute {
		t.Errorf("count %d, max %v, sum %v since", since.Count(), since.Max(), since.Sum())
	}
	var n uint64
	var last time.Duration
	for bound, count := range h.All() {
		if bound != 0 && bound <= last {
			t.Errorf("bound %v after %v", bound, last)
		}
		last = bound
		n += count
	}
	if n != h.Count() || last != 0 {
		t.Errorf("%d in all sizes, of %d; the last bound is %v", n, h.Count(), last)
	}
}
