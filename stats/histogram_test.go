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
		exact := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		got := int64(h.Quantile(q))
		if got < exact || got > exact+exact/2+1 {
			t.Errorf("quantile %v is %d, exactly %d", q, got, exact)
		}
	}
}

// Of few durations a quantile is the first that so large a part of them do not exceed.
func TestQuantileOfFew(t *testing.T) {
	of := func(times int, d time.Duration, more ...time.Duration) (h stats.Histogram) {
		for range times {
			h.Add(d)
		}
		for _, d := range more {
			h.Add(d)
		}
		return h
	}
	var hundred stats.Histogram
	for i := range 100 {
		hundred.Add(time.Duration(1) << (8 + i/7)) // two buckets farther with each 7
	}
	for _, c := range []struct {
		h    stats.Histogram
		q    float64
		want time.Duration
	}{
		{of(1, time.Microsecond, time.Second, time.Second), 0.5, time.Second},
		{of(9, time.Millisecond, 10*time.Second), 0.99, 10 * time.Second},
		{of(9, time.Millisecond, 10*time.Second), 0.9, time.Millisecond},
		{of(1, time.Microsecond, time.Second), 0.5, time.Microsecond},
		{of(1, time.Microsecond, time.Second), 0, time.Microsecond},
		{hundred, 0.07, 1 << 8}, // 0.07 * 100 is more than 7 in binary
		{hundred, 0.14, 1 << 9},
		{hundred, 0.28, 1 << 11},
		{hundred, 0.29, 1 << 12},
	} {
		if got := c.h.Quantile(c.q); got < c.want || got > c.want+c.want/2 {
			t.Errorf("quantile %v of %d is %v, exactly %v", c.q, c.h.Count(), got, c.want)
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

// A sum of more than there can be is the most, and what is no number is no quantile.
func TestEdges(t *testing.T) {
	var h, both stats.Histogram
	h.Add(math.MaxInt64)
	both.Merge(&h)
	both.Merge(&h)
	h.Add(math.MaxInt64)
	if h.Sum() != math.MaxInt64 || both.Sum() != math.MaxInt64 {
		t.Errorf("sums of %v and %v", h.Sum(), both.Sum())
	}
	if q := h.Quantile(math.NaN()); q != 0 {
		t.Errorf("Quantile(NaN) = %v", q)
	}
}
