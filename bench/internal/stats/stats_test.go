package stats

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
		if i.N != len(c.in) || i.Median != c.median || i.Low != c.low || i.High != c.high || i.Known() != c.known {
			t.Errorf("%s: %+v, known %v; want median %v, %v to %v, known %v", c.name, i, i.Known(), c.median, c.low,
				c.high, c.known)
		}
	}
	if i := Estimate(nil); i.N != 0 || !math.IsNaN(i.Median) || i.Known() || i.String() != "-" {
		t.Errorf("of nothing: %+v, %v", i, i)
	}
}

// The true median is in the interval as often as promised, for lopsided noise, too.
func TestIntervalsHoldTheMedian(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	for _, n := range []int{6, 9, 15} {
		const runs = 4000
		held := 0
		for range runs {
			v := make([]float64, n)
			for k := range v {
				v[k] = random.ExpFloat64()
			}
			if i := Estimate(v); i.Low <= math.Ln2 && math.Ln2 <= i.High {
				held++
			}
		}
		if share := float64(held) / runs; share < Level-0.01 {
			t.Errorf("%d rounds: the interval held the median in %.3f of the runs, want %v", n, share, Level)
		}
	}
}

func TestJudge(t *testing.T) {
	cases := []struct {
		name  string
		in    Interval
		noise float64
		want  Verdict
	}{
		{"nothing", Estimate(nil), 0, TooFew},
		{"five rounds that all agree", Estimate([]float64{2, 2, 2, 2, 2}), 0, TooFew},
		{"clear", Interval{9, 1.2, 1.15, 1.25}, 0.01, Better},
		{"clearly less", Interval{9, 0.8, 0.75, 0.85}, 0.01, Worse},
		{"one is in the interval", Interval{9, 1.2, 0.99, 1.4}, 0.01, Same},
		{"one is its end", Interval{9, 1.2, 1, 1.4}, 0.01, Same},
		{"less than a server differs from itself", Interval{9, 1.02, 1.01, 1.03}, 0.03, Same},
		{"the same, below one", Interval{9, 0.98, 0.97, 0.99}, 0.03, Same},
		{"as much as it differs from itself", Interval{9, 1.5, 1.4, 1.6}, 0.5, Same},
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
		if got := Judge(Estimate(v), 0); got != Same {
			told++
		}
	}
	if share := float64(told) / runs; share > 1-Level+0.01 {
		t.Errorf("differences told of the same server in %.3f of the runs, want at most %.3f", share, 1-Level)
	}
}

func TestDeviationIsTheSameOfTheInverse(t *testing.T) {
	for _, r := range []float64{1, 1.05, 3} {
		if a, b := Deviation(r), Deviation(1/r); math.Abs(a-b) > 1e-12 || math.Abs(a-(r-1)) > 1e-12 {
			t.Errorf("Deviation(%v) = %v, of the inverse %v", r, a, b)
		}
	}
}
