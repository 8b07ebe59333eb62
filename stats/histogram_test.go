package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ringo/stats"
)

// Each bucket counts what lies between its bounds, and nothing else does.
func TestBounds(t *testing.T) {
	var below time.Duration
	i := 0
	for b := range new(stats.Histogram).All() {
		first, last := below, b-1
		if b == 0 {
			last = math.MaxInt64
		}
		if last < first {
			t.Fatalf("bucket %d is from %d to %d", i, first, last)
		}
		for _, d := range []time.Duration{first, first + (last-first)/2, last} {
			if got := bucketOf(d); got != i {
				t.Errorf("%d ns is in bucket %d, want %d: %d to %d", d, got, i, first, last)
			}
		}
		below = b
		i++
	}
	if below != 0 || i < 3 {
		t.Errorf("%d buckets, of which the last is bounded by %v", i, below)
	}
}

// bucketOf is in which bucket one duration is counted, -1 if it is in none or in several.
func bucketOf(d time.Duration) int {
	var h stats.Histogram
	h.Add(d)
	in, i, sum := -1, 0, uint64(0)
	for _, n := range h.All() {
		if n > 0 {
			in = i
		}
		sum += n
		i++
	}
	if sum != 1 {
		return -1
	}
	return in
}

// A quantile is not below the exact one, and at most a half above it.
func TestQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h stats.Histogram
	var all []int64
	var sum int64
	for range 10_000 {
		ns := int64(math.Exp(r.Float64()*17) * 300)
		h.Add(time.Duration(ns))
		all = append(all, ns)
		sum += ns
	}
	slices.Sort(all)
	if h.Count() != uint64(len(all)) || int64(h.Sum()) != sum || int64(h.Max()) != all[len(all)-1] {
		t.Errorf("count %d, sum %d, max %d", h.Count(), h.Sum(), h.Max())
	}
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := all[max(0, int(q*float64(len(all)))-1)]
		got := int64(h.Quantile(q))
		if got < exact || got > exact+exact/2+1 {
			t.Errorf("quantile %v is %d, exactly %d", q, got, exact)
		}
	}
}

func TestEmpty(t *testing.T) {
	var h stats.Histogram
	if h.Count() != 0 || h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram is not empty")
	}
	h.Add(-5)
	if h.Count() != 1 || h.Sum() != 0 || h.Max() != 0 || h.Quantile(1) != 0 {
		t.Errorf("a duration below 0: count %d, sum %v, max %v", h.Count(), h.Sum(), h.Max())
	}
}

// What was counted between two looks is told apart from what was before.
func TestSub(t *testing.T) {
	var h stats.Histogram
	h.Add(time.Second)
	before := h
	h.Add(1000)
	h.Add(1500)
	since := h.Sub(before)
	if since.Count() != 2 || since.Sum() != 2500 || since.Max() < 1500 || since.Max() >= 1536 {
		t.Errorf("count %d, sum %v, max %v", since.Count(), since.Sum(), since.Max())
	}
	before.Merge(&since)
	if before != h {
		t.Error("both parts together are not the whole")
	}
	if none := h.Sub(h); none != (stats.Histogram{}) {
		t.Errorf("nothing was counted: %+v", none)
	}
}

func TestAllStops(t *testing.T) {
	var h stats.Histogram
	h.Add(1)
	for _, n := range h.All() {
		if n != 1 {
			t.Errorf("the first bucket has %d", n)
		}
		break
	}
}

func BenchmarkAdd(b *testing.B) {
	var h stats.Histogram
	ns := int64(1)
	for b.Loop() {
		h.Add(time.Duration(ns))
		ns = ns*5 + 1
		ns &= 1<<36 - 1
	}
}
