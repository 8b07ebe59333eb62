package measure

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRankIsThatOfTheTables(t *testing.T) {
	// The ranks of the 95 % interval of a median in tables of the sign test.
	want := map[int]int{0: 0, 1: 0, 5: 0, 6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10, 50: 18}
	for n, k := range want {
		if got := rank(n); got != k {
			t.Errorf("rank(%d) = %d, want %d", n, got, k)
		}
	}
}

func TestEstimate(t *testing.T) {
	cases := []struct {
		name              string
		in                []float64
		median, low, high float64
		known             bool
	}{
		{"one", []float64{3}, 3, 3, 3, false},
		{"five show their extremes", []float64{5, 1, 4, 2, 3}, 3, 1, 5, false},
		{"six", []float64{6, 5, 1, 4, 2, 3}, 3.5, 1, 6, true},
		{"nine leave one out at either end", []float64{9, 6, 5, 1, 7, 4, 8, 2, 3}, 5, 2, 8, true},
		{"an outlier of nine moves nothing", []float64{1, 1, 1, 1, 1, 1, 1, 1, 1000}, 1, 1, 1, true},
	}
	for _, c := range cases {
		i := Estimate(c.in)
		if i.Rounds != len(c.in) || i.Median != c.median || i.Low != c.low || i.High != c.high || i.Known() != c.known {
			t.Errorf("%s: %+v, known %v; want median %v, %v to %v, known %v", c.name, i, i.Known(), c.median, c.low,
				c.high, c.known)
		}
	}
	if i := Estimate(nil); i.Rounds != 0 || !math.IsNaN(i.Median) || i.Known() || i.String() != "-" {
		t.Errorf("of nothing: %+v, %v", i, i)
	}
}

// The true median is in the interval as often as it says, whatever the distribution.
func TestIntervalsHoldTheMedian(t *testing.T) {
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
				if i := Estimate(values); i.Low <= 0 && 0 <= i.High {
					covered++
				}
			}
			if got := float64(covered) / trials; got < Level-0.015 {
				t.Errorf("%s, %d values: the median was in the interval in %.3f of the trials, want %v", name, n, got,
					Level)
			}
		}
	}
}
