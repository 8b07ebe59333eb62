//go:build linux

package main

import (
	"fmt"
	"strings"

	"ringo/bench/internal/report"
)

// match is two sides and what is asked of one beside the other.
type match struct {
	name       string
	ours, base side
	asked      []asked
}

// asked is a figure's ratio to the base's, or the figure itself, and its limit; 0: it is only shown.
type asked struct {
	unit    string
	alone   bool
	atLeast bool
	limit   float64
}

func atLeast(unit string, limit float64) asked { return asked{unit: unit, atLeast: true, limit: limit} }
func atMost(unit string, limit float64) asked  { return asked{unit: unit, limit: limit} }
func alone(unit string, limit float64) asked   { return asked{unit: unit, alone: true, limit: limit} }
func reads(name, whose, times string) side {
	return side{pkg: "file", bench: "^" + name + "$/^" + whose + "$", times: times}
}
func appends(size int, store string) side {
	return side{pkg: "examples/logstore", bench: fmt.Sprintf("^BenchmarkAppend$/^size=%d$/^%s$", size, store),
		times: "1s"}
}
func direct(path string, limit ...string) side {
	return side{args: append([]string{"-direct", "-depth", "32", "-time", "1s", "-paths", path}, limit...), row: path}
}
func cached(where, by string) (m match) {
	m.name = "cached/" + where + "/" + by
	m.ours = side{pkg: "file", bench: "^BenchmarkReadAtCached$/^fs=" + where + "$/^size=4096$/^by=" +
		by + "$", times: "200x"}
	m.asked = []asked{alone("x-os", 1)}
	switch {
	case by == "goroutine":
		m.asked = []asked{alone("x-os", 1/0.95)}
	case where == "overlayfs": // which can't be told not to wait
		m.asked = []asked{alone("x-os", 1.3)}
	}
	return m
}

func writer(by string) match {
	return match{name: "append 64 B/" + by, ours: side{pkg: "file", bench: "^BenchmarkWriter$/^append$/^record=64$/" +
		"^size=131072$/^by=" + by + "$", times: "30x"}, asked: []asked{alone("x-bufio", 1), alone("x-same", 0)}}
}

const cpu, cpuRecord, cpuOp = "cpu-µs/op", "cpu-µs/record", "CPU µs/op"

// matches are all, with the bounds of the project.
var matches = []match{
	cached("disk", "goroutine"), cached("tmpfs", "goroutine"), cached("overlayfs", "goroutine"),
	cached("disk", "task,uring"), cached("tmpfs", "task,uring"), cached("overlayfs", "task,uring"),
	writer("goroutine"), writer("task,uring"), writer("task,epoll"),
	{"direct32", reads("BenchmarkDirect32", "file", "16000x"), reads("BenchmarkDirect32", "std", "16000x"),
		[]asked{atLeast("IOPS", 1.2), atMost(cpu, 0.6), alone("threads", 8)}},
	{"direct256", reads("BenchmarkDirect256", "file", "16000x"), reads("BenchmarkDirect256", "std", "16000x"),
		[]asked{atLeast("IOPS", 1), atMost(cpu, 0.65), alone("threads", 8)}},
	{"cold256", reads("BenchmarkCold256", "file", "16000x"), reads("BenchmarkCold256", "std", "16000x"),
		[]asked{atLeast("IOPS", 1), atMost(cpu, 0), alone("threads", 16)}},
	{"tasks beside fio", direct("task"), direct("fio"), []asked{atLeast("IOPS", 0), atMost(cpuOp, 1/0.9)}},
	{"log store, 128 B", appends(128, "store=file"), appends(128, "store=os"),
		[]asked{atLeast("records/s", 1), atMost(cpuRecord, 0.8)}},
	{"log store, 4 KiB", appends(4096, "store=file"), appends(4096, "store=os"),
		[]asked{atLeast("records/s", 1), atMost(cpuRecord, 0.8)}},
	{"log store beside a sync each, 128 B", appends(128, "store=file"), appends(128, "naive"),
		[]asked{atLeast("records/s", 4)}},
	{"log store beside a sync each, 4 KiB", appends(4096, "store=file"), appends(4096, "naive"),
		[]asked{atLeast("records/s", 4)}},
}

// result is what the rounds of a match gave: for each thing asked, a value a round.
type result struct {
	match  match
	values [][]float64
}

// round runs both sides. Every second round begins with the other.
func (r *result) round(w *workshop, n int) error {
	m := &r.match
	sides := []*side{&m.ours}
	if m.base.row != "" || m.base.bench != "" {
		sides = append(sides, &m.base)
	}
	got := make([]figures, len(sides))
	for i := range sides {
		i = (i + n) % len(sides)
		var err error
		if got[i], err = sides[i].run(w); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if r.values == nil {
		r.values = make([][]float64, len(m.asked))
	}
	for i, a := range m.asked {
		v, ok := got[0][a.unit]
		if !ok {
			return fmt.Errorf("%s: no figure %q among %v", m.name, a.unit, got[0])
		}
		if !a.alone {
			base, ok := got[1][a.unit]
			if !ok || base == 0 {
				return fmt.Errorf("%s: no figure %q among %v", m.name, a.unit, got[1])
			}
			v /= base
		}
		r.values[i] = append(r.values[i], v)
	}
	return nil
}

// roundsMin is how many rounds a verdict needs.
const roundsMin = 3

func (a *asked) verdict(v []float64) string {
	switch m := report.Quantile(v, 0.5); {
	case a.limit == 0:
		return ""
	case len(v) < roundsMin:
		return "too few rounds"
	case a.atLeast && m >= a.limit, !a.atLeast && m <= a.limit:
		return "met"
	}
	return "NOT MET"
}

func (a *asked) bound() string {
	sign := "<="
	if a.atLeast {
		sign = ">="
	}
	if a.limit == 0 {
		return "-"
	}
	return fmt.Sprintf("%s%.3g", sign, a.limit)
}

func table(results []*result) string {
	rows := [][]string{{"", "figure", "rounds", "quartile", "median", "quartile", "bound", ""}}
	for _, r := range results {
		for i, a := range r.match.asked {
			v, unit := r.values[i], a.unit
			if !a.alone {
				unit += ", ratio"
			}
			row := []string{r.match.name, unit, fmt.Sprint(len(v))}
			for _, q := range []float64{0.25, 0.5, 0.75} {
				row = append(row, fmt.Sprintf("%.3f", report.Quantile(v, q)))
			}
			rows = append(rows, append(row, a.bound(), a.verdict(v)))
		}
	}
	var b strings.Builder
	report.Table(&b, rows)
	return b.String()
}
