package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ringo/internal/test/alloctest"
)

func TestBucketsTileTheRange(t *testing.T) {
	next := uint64(0)
	for i := range buckets {
		low, width := bounds(i)
		if low != next {
			t.Fatalf("bucket %d starts at %d, want %d", i, low, next)
		}
		for _, v := range []uint64{low, low + width/2, low + width - 1} {
			if got := index(v); got != i {
				t.Fatalf("index(%d) = %d, want %d", v, got, i)
			}
		}
		next = low + width // wraps to 0 after the last bucket
	}
	if next != 0 {
		t.Fatalf("the last bucket ends at %d, want 2^64", next)
	}
}

func TestQuantileAgainstSortedValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	values := make([]float64, 100_000)
	for i := range values {
		values[i] = math.Floor(math.Exp(r.NormFloat64()*2 + 11)) // spread around 60 µs
		h.Record(time.Duration(values[i]))
	}
	slices.Sort(values)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999} {
		want := values[int(q*float64(len(values)))]
		got := float64(h.Quantile(q))
		if math.Abs(got-want) > want*0.008 {
			t.Errorf("Quantile(%v) = %v, want %v within 0.8 %%", q, got, want)
		}
	}
	if got, want := float64(h.Max()), values[len(values)-1]; got != want {
		t.Errorf("Max = %v, want %v", got, want)
	}
	if got := h.Quantile(1); got > h.Max() {
		t.Errorf("Quantile(1) = %v exceeds Max = %v", got, h.Max())
	}
}

func TestEdges(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("Quantile of an empty Histogram = %v, want 0", got)
	}
	h.Record(-5)
	h.Record(math.MaxInt64)
	if got := h.Quantile(0); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
	if h.Max() != math.MaxInt64 || h.Count() != 2 {
		t.Errorf("Max, Count = %v, %d", h.Max(), h.Count())
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 {
		t.Errorf("after Reset: Count %d, Max %v", h.Count(), h.Max())
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	h := new(Histogram)
	if n := alloctest.Least(1000, 0.1, func() { h.Record(12345) }); n > 0.1 {
		t.Errorf("Record allocates %v times", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	h := new(Histogram)
	d := time.Duration(1)
	for b.Loop() {
		h.Record(d)
		d = d*5%1_000_003 + 1
	}
}
