package page

import (
	"fmt"
	"math"
	"strconv"

	"ringo/internal/measure"
)

// scale is a logarithmic axis from low to high, across the whole width.
type scale struct{ low, high float64 }

// scaleOf returns a scale that shows all medians and the value one, with some room. It shows the ends of the intervals
// too, as far as that leaves most of the width to the medians. Intervals without rounds are left out.
func scaleOf(all []measure.Interval, one float64) scale {
	const room, ends = 1.06, 1.35
	s := scale{one, one}
	wide := s
	for _, i := range all {
		if i.Rounds == 0 {
			continue
		}
		s.low, s.high = min(s.low, i.Median), max(s.high, i.Median)
		wide.low, wide.high = min(wide.low, i.Low), max(wide.high, i.High)
	}
	return scale{max(min(s.low, wide.low), s.low/ends) / room, min(max(s.high, wide.high), s.high*ends) * room}
}

// at returns the position of a value, in percent of the width.
func (s scale) at(v float64) float64 {
	share := math.Log(v/s.low) / math.Log(s.high/s.low)
	return math.Round(min(max(share, 0), 1)*1e4) / 100
}

// tick is a mark on an axis.
type tick struct {
	At   float64
	Text string
	One  bool // it is the base's
}

// Candidates for the ticks of an axis, coarsest first.
var (
	ratioTicks = [][]float64{
		{0.01, 0.1, 1, 10, 100},
		{0.25, 0.5, 1, 2, 4, 8, 16},
		{0.5, 0.7, 1, 1.4, 2, 3, 4, 6},
		{0.6, 0.8, 1, 1.25, 1.5, 2},
		{0.8, 0.9, 1, 1.1, 1.2, 1.4},
		{0.9, 0.95, 1, 1.05, 1.1},
	}
	timeTicks = [][]float64{
		{1, 10, 100, 1e3, 1e4, 1e5, 1e6},
		{1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5},
		{10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4},
	}
)

// ticks returns the finest candidates whose labels do not overlap, even on a phone.
func (s scale) ticks(candidates [][]float64, text func(float64) string) (best []tick) {
	const apart = 13 // percent of the width: some 45 pixels of 350
	for _, values := range candidates {
		var ticks []tick
		for _, v := range values {
			if v >= s.low && v <= s.high {
				ticks = append(ticks, tick{s.at(v), text(v), v == 1})
			}
		}
		for i := range ticks {
			if i > 0 && ticks[i].At-ticks[i-1].At < apart {
				return best
			}
		}
		if len(ticks) >= len(best) {
			best = ticks
		}
	}
	return best
}

func ratioText(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) + "×" }

// timeText formats a time in microseconds.
func timeText(us float64) string {
	switch {
	case math.IsNaN(us):
		return "–"
	case us >= 1e6:
		return fmt.Sprintf("%.3g s", us/1e6)
	case us >= 999.5:
		return fmt.Sprintf("%.3g ms", us/1e3)
	}
	return fmt.Sprintf("%.3g µs", us)
}
