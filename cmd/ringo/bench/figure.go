package bench

import (
	"math"
	"slices"
)

// A Figure is the median of the rounds, and the values between which the true median almost certainly lies.
type Figure struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Rounds int     `json:"rounds"`
}

// confidence is how sure the interval of a Figure is.
const confidence = 0.95

// figureOf needs one value at least. The interval is between two of the values themselves, by the binomial
// distribution: it supposes nothing about how noise is distributed. Of fewer than six values it is all of them, and a
// little less sure.
func figureOf(values []float64) *Figure {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	out := outside(n)
	median := v[n/2]
	if n%2 == 0 {
		median = (v[n/2-1] + v[n/2]) / 2
	}
	return &Figure{Median: median, Low: v[out], High: v[n-1-out], Rounds: n}
}

// outside is how many of n sorted values may be left out at each end.
func outside(n int) int {
	tail, term := 0.0, math.Pow(0.5, float64(n)) // of fewer than k+1 heads in n throws, and of k
	for k := range n / 2 {
		tail += term
		if tail > (1-confidence)/2 {
			return max(k-1, 0) // k values out on one side is the event of fewer than k heads
		}
		term *= float64(n-k) / float64(k+1)
	}
	return max(n/2-1, 0)
}

// A Ratio is a Figure of how much better one thing is than another, taken within each round.
type Ratio struct {
	Figure
	Seen bool `json:"seen"` // the difference is larger than the noise
}

// ratioOf compares what is better if it is larger. The two were measured in the same rounds.
func ratioOf(values, base []float64) *Ratio {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / base[i]
	}
	r := &Ratio{Figure: *figureOf(ratios)}
	r.Seen = r.Low > 1 || r.High < 1
	return r
}

// better and worse ask for a difference that is seen and larger than a part.
func (r *Ratio) better(part float64) bool {
	return r != nil && r.Seen && r.Low > 1 && r.Median >= 1+part
}
func (r *Ratio) worse(part float64) bool {
	return r != nil && r.Seen && r.High < 1 && r.Median <= 1-part
}
