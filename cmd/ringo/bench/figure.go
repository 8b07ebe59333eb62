package bench

import "ringo/internal/measure"

// A Figure is the median of the rounds, and the values between which the true median almost certainly lies.
type Figure measure.Interval

// figureOf needs one value at least.
func figureOf(values []float64) *Figure {
	f := Figure(measure.Estimate(values))
	return &f
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
