// Package stats decides whether a ratio differs from one, as far as the rounds of a measurement allow that.
package stats

import (
	"math"

	"ringo/internal/measure"
)

// Verdict is the conclusion from an interval of a ratio. A ratio above one is better.
type Verdict int

// The verdicts.
const (
	TooFew Verdict = iota // too few rounds for a conclusion
	Same                  // no difference seen: it is smaller than the noise, if there is one
	Better
	Worse
)

// Judge returns Same if the interval contains one, or if the median is no further from one than noise. noise is the
// share by which a server differed from itself in the same rounds.
func Judge(i measure.Interval, noise float64) Verdict {
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

// Deviation returns how far a ratio is from one, the same for a ratio and its inverse: 0.05 for 1.05 and for 1/1.05.
func Deviation(ratio float64) float64 { return math.Exp(math.Abs(math.Log(ratio))) - 1 }

func (v Verdict) String() string {
	return [...]string{"too few rounds", "no difference seen", "better", "worse"}[v]
}
