package report

import (
	"math"
	"strings"
	"testing"
)

func TestQuartiles(t *testing.T) {
	v := []float64{5, 1, 3, 2, 4}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5, 0.125: 1.5} {
		if got := Quantile(v, q); got != want {
			t.Errorf("quantile %v of %v = %v, want %v", q, v, got, want)
		}
	}
}

func TestQuantileOfNothing(t *testing.T) {
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("got %v", got)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	Table(&b, [][]string{{"name", "µs"}, {"a", "10.5"}})
	if want := "name    µs\na     10.5\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
