package bench

import "testing"

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
