//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/sample"
)

// No two matches have one name, and none compares with nothing.
func TestMatchesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range diskMatches(false) {
		if seen[m.name] || len(m.asked) == 0 || m.ours.Figures == nil {
			t.Errorf("%q is there twice, or asks nothing", m.name)
		}
		seen[m.name] = true
		for _, a := range m.asked {
			if a.how == ratio && m.base.Argv == nil {
				t.Errorf("%s: %s is compared with nothing", m.name, a.figure)
			}
		}
	}
	for _, m := range diskMatches(true) {
		argv := fmt.Sprint(m.ours.Argv)
		if !seen[m.name] || !strings.Contains(argv, "benchtime=10x") && !strings.Contains(argv, "-time 100ms") {
			t.Errorf("%s in short is %s", m.name, argv)
		}
	}
}

func TestDiskTable(t *testing.T) {
	o, _ := optionsOf(t, "disk", "-rounds", "3", "cold256")
	if err := o.parse(); err != nil {
		t.Fatal(err)
	}
	cells, pairs, err := o.diskCells()
	if err != nil || len(cells) != 1 || !slices.Equal(cells[0].Servers, []string{ourSide, baseSide}) {
		t.Fatalf("cells %v, %v", cells, err)
	}
	var rec contest.Record
	for round := range 3 {
		for i, server := range cells[0].Servers {
			rec.Samples = append(rec.Samples, sample.Sample{Round: round, Cell: "cold256", Server: server,
				Figures: map[string]float64{"IOPS": 30 - 20*float64(i), cpu: 5, "threads": 17}})
		}
	}
	var got []string
	for line := range strings.Lines(diskTable(rec.Results(), pairs)) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"figure rounds quartile median quartile bound",
		"cold256 IOPS, ratio 3 3.000 3.000 3.000 >=1 met", "cold256 cpu-µs/op, ratio 3 1.000 1.000 1.000 -",
		"cold256 threads 3 17.000 17.000 17.000 <=16 NOT MET"}
	if !slices.Equal(got, want) {
		t.Errorf("the table is %q\nwant %q", got, want)
	}
}

func TestRingTable(t *testing.T) {
	cells, err := ringCells([]string{"cached"}, true, true)
	if err != nil || len(cells) != 1 {
		t.Fatalf("%v, %v", cells, err)
	}
	want := []string{"{bin}/ring", "-work", "cached", "-ops", "6000", "-file", "{file}", "-keep-p=true"}
	if argv := cells[0].Command["uring"].Argv; !slices.Equal(argv, want) {
		t.Errorf("ours is %q, want %q", argv, want)
	}
	if _, err := ringCells([]string{"nop", "noop"}, true, true); err == nil {
		t.Error("there is a work noop")
	}
	var rec contest.Record
	for _, side := range cells[0].Servers {
		output := map[string]string{"uring": "3000 0.002\n", "liburing": "3000 0.001\n"}[side]
		rec.Samples = append(rec.Samples, sample.Sample{Cell: "cached", Server: side, Figures: parseRing(output)})
	}
	if got := ringTable(rec.Results()); !strings.Contains(got, "cached             1500       3000   0.500 (") {
		t.Errorf("the table is\n%s", got)
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
