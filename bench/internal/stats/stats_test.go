package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"ringo/internal/measure"
)

// nine is an interval of nine rounds.
func nine(median, low, high float64) measure.Interval {
	return measure.Interval{Median: median, Low: low, High: high, Rounds: 9}
}

func TestJudge(t *testing.T) {
	cases := []struct {
		name  string
		in    measure.Interval
		noise float64
		want  Verdict
	}{
		{"nothing", measure.Estimate(nil), 0, TooFew},
		{"five rounds that all agree", measure.Estimate([]float64{2, 2, 2, 2, 2}), 0, TooFew},
		{"clear", nine(1.2, 1.15, 1.25), 0.01, Better},
		{"clearly less", nine(0.8, 0.75, 0.85), 0.01, Worse},
		{"one is in the interval", nine(1.2, 0.99, 1.4), 0.01, Same},
		{"one is its end", nine(1.2, 1, 1.4), 0.01, Same},
		{"less than a server differs from itself", nine(1.02, 1.01, 1.03), 0.03, Same},
		{"the same, below one", nine(0.98, 0.97, 0.99), 0.03, Same},
		{"as much as it differs from itself", nine(1.5, 1.4, 1.6), 0.5, Same},
	}
	for _, c := range cases {
		if got := Judge(c.in, c.noise); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Servers that are the same are told apart no more often than the level allows.
func TestNoiseAloneIsNoDifference(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	const runs = 4000
	told := 0
	for range runs {
		v := make([]float64, 9)
		for k := range v {
			v[k] = math.Exp(0.1 * random.NormFloat64())
		}
		if got := Judge(measure.Estimate(v), 0); got != Same {
			told++
		}
	}
	if share := float64(told) / runs; share > 1-measure.Level+0.01 {
		t.Errorf("differences told of the same server in %.3f of the runs, want at most %.3f", share, 1-measure.Level)
	}
}

func TestDeviationIsTheSameOfTheInverse(t *testing.T) {
	for _, r := range []float64{1, 1.05, 3} {
		if a, b := Deviation(r), Deviation(1/r); math.Abs(a-b) > 1e-12 || math.Abs(a-(r-1)) > 1e-12 {
			t.Errorf("Deviation(%v) = %v, of the inverse %v", r, a, b)
		}
	}
}
