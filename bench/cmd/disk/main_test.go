//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseBench(t *testing.T) {
	output := "goos: linux\nBenchmarkDirect32/file-2   \t   16000\t   20118 ns/op\t  53000 IOPS\t  6.3 " +
		"cpu-µs/op\nPASS\n"
	if got, want := fmt.Sprint(parseBench(output)), "map[IOPS:53000 cpu-µs/op:6.3 ns/op:20118]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := parseBench("PASS\n"); got != nil {
		t.Errorf("figures of nothing: %v", got)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		asked  asked
		values []float64
		want   string
	}{
		{atLeast("IOPS", 1.2), []float64{1.3, 1.1, 1.2}, ">=1.2 met"},
		{atLeast("IOPS", 1.2), []float64{1.1, 1.1, 1.3}, ">=1.2 NOT MET"},
		{atMost("cpu", 0.6), []float64{0.5, 0.7, 0.6}, "<=0.6 met"},
		{atMost("cpu", 0.6), []float64{0.7, 0.7, 0.5}, "<=0.6 NOT MET"},
		{alone("threads", 8), []float64{9, 9, 9}, "<=8 NOT MET"},
		{atMost("cpu", 0), []float64{9, 9, 9}, "- "},
		{atLeast("IOPS", 1), []float64{2, 2}, ">=1 too few rounds"},
	} {
		if got := c.asked.bound() + " " + c.asked.verdict(c.values); got != c.want {
			t.Errorf("%v: got %q, want %q", c.values, got, c.want)
		}
	}
}

// TestMatchesAreWhole: no two have one name, and none compares with nothing.
func TestMatchesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range matches {
		if seen[m.name] || len(m.asked) == 0 {
			t.Errorf("%q is there twice or asks nothing", m.name)
		}
		seen[m.name] = true
		for _, a := range m.asked {
			if !a.alone && m.base.row == "" && m.base.bench == "" {
				t.Errorf("%s: %s is compared with nothing", m.name, a.unit)
			}
		}
	}
	rows := strings.Split(strings.TrimSpace(table([]*result{{match{"a", side{}, side{}, []asked{alone("x", 1)}},
		[][]float64{{2, 2, 2}}}})), "\n")
	if len(rows) != 2 || strings.Join(strings.Fields(rows[1]), " ") != "a x 3 2.000 2.000 2.000 <=1 NOT MET" {
		t.Errorf("the table is %q", rows)
	}
}
