package report

import (
	"fmt"
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

func TestParseTable(t *testing.T) {
	output := `random reads of 4K, direct, depth 32, 300ms each
       path   IOPS   MB/s  CPU µs/op  p50 µs   p99 µs  threads
       task  56473  231.3       6.70   450.6   2949.1        7
        fio  31927  130.8       5.53   337.9   9371.6        -
`
	if got, want := fmt.Sprint(Row(output, "path", "fio")),
		"map[CPU µs/op:5.53 IOPS:31927 MB/s:130.8 p50 µs:337.9 p99 µs:9371.6]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Row(output, "path", "os"); got != nil {
		t.Errorf("figures of a path that is not there: %v", got)
	}
}
