package measure

import (
	"fmt"
	"math"
	"slices"
)

// Level is the least probability with which an interval contains the true median.
const Level = 0.95

// RoundsMin is the least number of rounds for an interval of that level. With five rounds, all five values lie on the
// same side of the true median once in sixteen times, which is too often.
const RoundsMin = 6

// Interval is the median of the values of several rounds, and an interval for the true median with the probability
// Level. Its JSON form is stable.
type Interval struct {
	Median float64 `json:"median"` // like Low and High, NaN if there are no values
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Rounds int     `json:"rounds"`
}

// Known reports whether there were enough rounds for an interval of that Level. If not, Low and High are the lowest and
// the highest value.
func (i Interval) Known() bool { return i.Rounds >= RoundsMin }

// Estimate returns the median with its interval by order statistics. The ends are the k-th values from either end of
// the sorted values. Each value lies above or below the true median like the throw of a coin, so k is the largest
// number for which as many throws as there are values show fewer than k heads, or fewer than k tails, with a
// probability of at most 1-Level.
func Estimate(v []float64) Interval {
	i := Interval{Rounds: len(v), Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if i.Rounds == 0 {
		return i
	}
	v = slices.Sorted(slices.Values(v))
	k := max(rank(i.Rounds), 1)
	i.Median = (v[(i.Rounds-1)/2] + v[i.Rounds/2]) / 2
	i.Low, i.High = v[k-1], v[i.Rounds-k]
	return i
}

// rank returns the k of Estimate for n values, 0 if there is none.
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

// String returns the median, with the interval in parentheses if there is more than one value.
func (i Interval) String() string {
	switch {
	case i.Rounds == 0:
		return "-"
	case i.Rounds == 1:
		return fmt.Sprintf("%.2f", i.Median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", i.Median, i.Low, i.High)
}
