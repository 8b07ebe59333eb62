package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFigure(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Figure
	}{
		{[]float64{7}, Figure{7, 7, 7, 1}},
		{[]float64{4, 2}, Figure{3, 2, 4, 2}},
		{[]float64{5, 1, 4, 2, 3}, Figure{3, 1, 5, 5}},
		{[]float64{6, 5, 4, 3, 2, 1}, Figure{3.5, 1, 6, 6}},
		// Nine values: fewer than 2 of 9 on one side of the median has the chance 0.0195, fewer than 3 has 0.0898.
		{[]float64{9, 8, 7, 6, 5, 4, 3, 2, 1}, Figure{5, 2, 8, 9}},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, Figure{6, 2, 10, 11}},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, Figure{8, 4, 12, 15}},
	} {
		before := c.values[0]
		if got := *figureOf(c.values); got != c.want {
			t.Errorf("%v gives %v, want %v", c.values, got, c.want)
		}
		if c.values[0] != before {
			t.Errorf("the values were sorted in place")
		}
	}
}

// The true median is in the interval as often as it says, whatever the distribution.
func TestFigureCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{6, 9, 15, 40} {
		for name, draw := range map[string]func() float64{
			"normal": random.NormFloat64, "skewed": func() float64 { return math.Exp(2*random.NormFloat64()) - 1 },
		} {
			const trials = 4000
			covered := 0
			for range trials {
				values := make([]float64, n)
				for i := range values {
					values[i] = draw()
				}
				if f := figureOf(values); f.Low <= 0 && 0 <= f.High {
					covered++
				}
			}
			if got := float64(covered) / trials; got < confidence-0.015 {
				t.Errorf("%s, %d values: the median was in the interval in %.3f of the trials, want %v", name, n, got,
					confidence)
			}
		}
	}
}

// A difference is seen if it is larger than the noise, and noise that both share is none.
func TestRatio(t *testing.T) {
	base := []float64{10, 12, 9, 11, 30, 10, 8, 12, 10}
	scaled := func(f ...float64) []float64 {
		out := make([]float64, len(base))
		for i := range out {
			out[i] = base[i] * f[i%len(f)]
		}
		return out
	}
	for _, c := range []struct {
		name                string
		values              []float64
		seen, better, worse bool
	}{
		{"the same", scaled(1), false, false, false},
		{"a tenth more in each round", scaled(1.1), true, true, false},
		{"a tenth less", scaled(0.9), true, false, true},
		{"more than before by less than matters", scaled(1.01), true, false, false},
		{"now more, now less", scaled(1.2, 0.85), false, false, false},
		{"a tenth more, and noise", scaled(1.1, 1.15, 1.05), true, true, false},
	} {
		r := ratioOf(c.values, base)
		if r.Seen != c.seen || r.better(0.03) != c.better || r.worse(0.03) != c.worse {
			t.Errorf("%s: seen %v, better %v, worse %v, want %v, %v, %v: %+v", c.name, r.Seen, r.better(0.03),
				r.worse(0.03), c.seen, c.better, c.worse, r)
		}
	}
	var none *Ratio
	if none.better(0) || none.worse(0) {
		t.Error("what was not measured is better or worse")
	}
}
