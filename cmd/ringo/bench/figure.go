package bench

import "ringo/internal/measure"

// A Figure is the median over the rounds, and the interval that almost certainly contains the true median.
type Figure measure.Interval

// figureOf returns the Figure of values, of which there must be at least one.
func figureOf(values []float64) *Figure {
	f := Figure(measure.Estimate(values))
	return &f
}

// A Ratio is a Figure that says how many times better one thing is than another. It is taken within each round.
type Ratio struct {
	Figure
	Seen bool `json:"seen"` // the difference is larger than the noise
}

// ratioOf returns the Ratio of values to base, both of which are better if larger and come from the same rounds.
func ratioOf(values, base []float64) *Ratio {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / base[i]
	}
	r := &Ratio{Figure: *figureOf(ratios)}
	r.Seen = r.Low > 1 || r.High < 1
	return r
}

// better and worse report whether a difference is seen, and at least part, such as 0.03.
func (r *Ratio) better(part float64) bool {
	return r != nil && r.Seen && r.Low > 1 && r.Median >= 1+part
}
func (r *Ratio) worse(part float64) bool {
	return r != nil && r.Seen && r.High < 1 && r.Median <= 1-part
}
