package measure

import (
	"fmt"
	"math"
	"slices"
)

// Level is how sure an interval is to hold the true median, at least.
const Level = 0.95

// RoundsMin is how many rounds the smallest interval of that level needs: with five, all five lie on one side of the
// median once in sixteen times.
const RoundsMin = 6

// Interval is a median of what the rounds gave, and where the true one lies, by the Level. Its JSON form is stable.
type Interval struct {
	Median float64 `json:"median"` // NaN for no values, as are the ends
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Rounds int     `json:"rounds"`
}

// Known says that there were values enough for the interval to be one. Otherwise Low and High are the extremes.
func (i Interval) Known() bool { return i.Rounds >= RoundsMin }

// Estimate is the median with its interval from order statistics: the k-th value from either end, k being the largest
// for which so many throws of a coin are unlikely enough to show fewer than k heads, or fewer than k tails.
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

// String is the median with the interval in parentheses.
func (i Interval) String() string {
	switch {
	case i.Rounds == 0:
		return "-"
	case i.Rounds == 1:
		return fmt.Sprintf("%.2f", i.Median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", i.Median, i.Low, i.High)
}
