package proxy

import (
	"testing"
	"time"

	"ringo/stats"
)

// TestBucketsOf: each bucket has what is below its bound, and the number of bounds is fixed.
func TestBucketsOf(t *testing.T) {
	var h stats.Histogram
	for _, d := range []time.Duration{0, 1 << 14, 1 << 15, 1<<15 + 1<<14, 1 << 20, time.Hour} {
		h.Add(d)
	}
	got, n := map[time.Duration]uint64{}, 0
	bucketsOf(&h, func(bound time.Duration, below uint64) { got[bound] = below; n++ })
	for bound, want := range map[time.Duration]uint64{1 << 15: 2, 1 << 16: 4, 1 << 20: 4, 1 << 21: 5, 1 << 36: 5} {
		if got[bound] != want {
			t.Errorf("%d are below %v, want %d", got[bound], bound, want)
		}
	}
	if want := boundLast - boundFirst + 1; n != want || len(got) != want {
		t.Errorf("%d bounds, want %d", n, want)
	}
}
