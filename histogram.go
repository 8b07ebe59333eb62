package ringo

import (
	"iter"
	"time"

	"ringo/internal/hist"
)

// Histogram counts durations by size, as [Stats] have them. The sizes are powers of two and the middles between them,
// from 256 ns to 137 s, the same in all histograms. It is a value, which the loop does not change any more. Any
// goroutine may use it, and nothing here parks.
type Histogram hist.Histogram

func (h *Histogram) engine() *hist.Histogram { return (*hist.Histogram)(h) }

// Count is how many durations were counted.
func (h Histogram) Count() uint64 { return h.engine().Count() }

// Sum is all of them together.
func (h Histogram) Sum() time.Duration { return h.engine().Sum() }

// Max is the longest of them.
func (h Histogram) Max() time.Duration { return h.engine().Max() }

// Quantile is a duration that the share q of them does not exceed, at most a half more than the least such: 0.99 for
// the 99th percentile. A q outside of 0 to 1 is taken for the nearer of these; with nothing counted it is 0.
func (h Histogram) Quantile(q float64) time.Duration { return h.engine().Quantile(q) }

// Sub is what was counted since before, which must be an earlier value of the same histogram. Its Max may be up to a
// half too long, because only the longest of all is kept exactly.
func (h Histogram) Sub(before Histogram) Histogram { return Histogram(h.engine().Sub(before.engine())) }

// All gives the sizes in rising order: a bound, and how many durations are less than it but not less than the bound
// before. The last has the bound 0, and counts what no bound is above.
func (h Histogram) All() iter.Seq2[time.Duration, uint64] { return h.engine().All() }
