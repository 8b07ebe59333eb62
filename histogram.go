package ringo

import (
	"iter"
	"time"

	"ringo/internal/hist"
)

// A Histogram counts durations in buckets, as in [Stats]. The bounds are powers of two and the middles between them,
// from 256 ns to 137 s, the same in all histograms. It is a copy that no longer changes. Any goroutine may use it; no
// method parks.
type Histogram hist.Histogram

func (h *Histogram) engine() *hist.Histogram { return (*hist.Histogram)(h) }

// Count returns the number of durations.
func (h Histogram) Count() uint64 { return h.engine().Count() }

// Sum returns the sum of all durations.
func (h Histogram) Sum() time.Duration { return h.engine().Sum() }

// Max returns the longest duration.
func (h Histogram) Max() time.Duration { return h.engine().Max() }

// Quantile returns an upper bound of the q-quantile, at most half too long: 0.99 for the 99th percentile. A q below 0
// counts as 0, one above 1 as 1. It returns 0 if nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration { return h.engine().Quantile(q) }

// Sub returns what was counted since before, an earlier value of the same histogram. Its Max may be up to half too
// long, because only the overall maximum is kept exactly.
func (h Histogram) Sub(before Histogram) Histogram { return Histogram(h.engine().Sub(before.engine())) }

// All returns the buckets in rising order: a bound, and how many durations are below it but not below the previous one.
// The last bucket has the bound 0 and counts all longer durations.
func (h Histogram) All() iter.Seq2[time.Duration, uint64] { return h.engine().All() }
