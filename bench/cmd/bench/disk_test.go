//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
	"ringo/bench/internal/sample"
)

// No two matches have one name, and none compares with nothing.
func TestMatchesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range diskMatches(false) {
		if seen[m.Load] || len(m.asked) == 0 {
			t.Errorf("%q is there twice, or asks nothing", m.Load)
		}
		seen[m.Load] = true
		for _, a := range m.asked {
			if a.how == ratio && len(m.Servers) != 2 {
				t.Errorf("%s: %s is compared with nothing", m.Load, a.figure)
			}
		}
	}
	for _, m := range diskMatches(true) {
		for _, c := range m.Command {
			if !seen[m.Load] || !slices.Contains(c.Argv, "-test.benchtime=10x") {
				t.Errorf("%s in short is %q", m.Load, c.Argv)
			}
		}
	}
	if err := new(rig.Rig).Check(diskCellsOf(t)); err != nil {
		t.Error(err)
	}
}

func diskCellsOf(t *testing.T, names ...string) []contest.Cell {
	cells, _, err := diskCells(names, false)
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestDiskTable(t *testing.T) {
	var samples []sample.Sample
	for round := range 3 {
		for i, server := range diskCellsOf(t, "cold256")[0].Servers {
			samples = append(samples, sample.Sample{Round: round, Cell: "cold256", Server: server,
				Figures: map[string]float64{"IOPS": 30 - 20*float64(i), cpu: 5, "threads": 17}})
		}
	}
	samples = append(samples, sample.Sample{Round: 4, Cell: "cold256", Server: "file", Failed: "no disk"})
	code, got := printed(t, samples, "disk", "cold256")
	want := []string{"figure rounds quartile median quartile bound",
		"cold256 IOPS, ratio 3 3.000 3.000 3.000 >=1 met", "cold256 cpu-µs/op, ratio 3 1.000 1.000 1.000 -",
		"cold256 threads 3 17.000 17.000 17.000 <=16 NOT MET", "FAILED round 4, cold256, file: no disk"}
	if code != 1 || !slices.Equal(got, want) {
		t.Errorf("exit code %d, the table is %q\nwant %q", code, got, want)
	}
}

func TestRing(t *testing.T) {
	cells, err := ringCells([]string{"cached"}, true, true)
	if err != nil || len(cells) != 1 {
		t.Fatalf("%v, %v", cells, err)
	}
	want := []string{"{bin}/ring", "-work", "cached", "-ops", "6000", "-file", "{file}", "-keep-p=true"}
	if argv := cells[0].Command["uring"].Argv; !slices.Equal(argv, want) {
		t.Errorf("ours is %q, want %q", argv, want)
	}
	var samples []sample.Sample
	for _, side := range cells[0].Servers {
		output := map[string]string{"uring": "3000 0.002\n", "liburing": "3000 0.001\n"}[side]
		samples = append(samples, sample.Sample{Cell: "cached", Server: side, Figures: parseRing(output)})
	}
	code, got := printed(t, samples, "ring", "cached")
	want = []string{"work, ops/ms uring liburing rounds quartile median quartile bound",
		"cached 1500 3000 1 0.500 0.500 0.500"}
	if code != 0 || !slices.Equal(got, want) {
		t.Errorf("exit code %d, the table is %q\nwant %q", code, got, want)
	}
	if f := parseRing("no such work"); f != nil {
		t.Errorf("figures %v of nothing", f)
	}
}

func TestArgumentsAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"disk cold":       `"cold" is none of cached/disk/goroutine, `,
		"ring noop":       "noop",
		"sockets radish":  "no pair radish",
		"strace":          "want names",
		"strace nobody":   `unknown server "nobody"`,
		"files 50":        `bad cell "http:50"`,
		"beside 50":       `bad cell "paced:50"`,
		"disk -seconds 1": "not defined: -seconds",
	} {
		var said strings.Builder
		if code := call(t.Context(), strings.Fields(args), &said, &said); code != 2 ||
			!strings.Contains(said.String(), want) {
			t.Errorf("%s: exit code %d, said %q, want 2 and %q", args, code, &said, want)
		}
	}
}
