// Package stats says what rounds of measurements allow to say: medians with intervals, and whether a ratio differs from
// one. It assumes nothing about how noise is distributed but that it is as likely to raise a round's ratio above the
// true one as to lower it.
package stats

import (
	"fmt"
	"math"
	"slices"

	"ringo/bench/internal/report"
)

// Level is how sure an interval is to hold the true median, at least.
const Level = 0.95

// RoundsMin is how many rounds the smallest interval of that level needs: with five, all five lie on one side of the
// median once in sixteen times.
const RoundsMin = 6

// Interval is a median and where the true one lies, by the Level.
type Interval struct {
	N                 int
	Median, Low, High float64 // NaN for no values
}

// Known says that there were values enough for the interval to be one. Otherwise Low and High are the extremes.
func (i Interval) Known() bool { return i.N >= RoundsMin }

// Estimate is the median with its interval from order statistics: the k-th value from either end, k being the largest
// for which so many throws of a coin are unlikely enough to show fewer than k heads, or fewer than k tails.
func Estimate(v []float64) Interval {
	i := Interval{N: len(v), Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if i.N == 0 {
		return i
	}
	v = slices.Sorted(slices.Values(v))
	k := max(rank(i.N), 1)
	i.Median, i.Low, i.High = report.Quantile(v, 0.5), v[k-1], v[i.N-k]
	return i
}

// rank is the k of Estimate, 0 if there is none.
func rank(n int) int {
	tail, term := 0.0, math.Pow(0.5, float64(n)) // P(fewer than k heads), P(exactly k)
	k := 0
	for k < n/2 && 2*(tail+term) <= 1-Level {
		tail += term
		term *= float64(n-k) / float64(k+1)
		k++
	}
	return k
}

// Verdict is what an interval of a ratio says. Above one is better.
type Verdict int

// The verdicts.
const (
	TooFew Verdict = iota // rounds to say anything
	Same                  // no difference seen: the noise is larger than what there may be
	Better
	Worse
)

// Judge refuses to tell a difference where the interval holds one, and where the median is no further from one than
// noise: the share by which a server differed from itself in the same rounds.
func Judge(i Interval, noise float64) Verdict {
	switch {
	case !i.Known() || math.IsNaN(i.Median):
		return TooFew
	case Deviation(i.Median) <= noise:
		return Same
	case i.Low > 1:
		return Better
	case i.High < 1:
		return Worse
	}
	return Same
}

// Deviation is how far a ratio is from one, the same for a ratio and its inverse: 0.05 for 1.05 and for 1/1.05.
func Deviation(ratio float64) float64 { return math.Exp(math.Abs(math.Log(ratio))) - 1 }

func (v Verdict) String() string {
	return [...]string{"too few rounds", "no difference seen", "better", "worse"}[v]
}

// String is the median with the interval in parentheses.
func (i Interval) String() string {
	switch {
	case i.N == 0:
		return "-"
	case i.N == 1:
		return fmt.Sprintf("%.2f", i.Median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", i.Median, i.Low, i.High)
}
