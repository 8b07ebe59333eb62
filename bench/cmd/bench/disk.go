//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/bench/internal/rig"
)

// match is package file beside another, and what is asked of it.
type match struct {
	name       string
	ours, base contest.Command // no base: ours compares by itself
	asked      []asked
}

const (
	cpu, cpuRecord, cpuOp = "cpu-µs/op", "cpu-µs/record", "CPU µs/op"
	besideFio             = "tasks beside fio"
)

// diskMatches are all, with the bounds of the project. In short they take a moment.
func diskMatches(short bool) []match {
	run := func(pkg, pattern, times string) contest.Command {
		if short {
			times = "10x"
		}
		return benchmark(pkg, pattern, times)
	}
	cached := func(where, by string, limit float64) match {
		return match{name: "cached/" + where + "/" + by, ours: run("./file", "^BenchmarkReadAtCached$/^fs="+where+
			"$/^size=4096$/^by="+by+"$", "200x"), asked: []asked{itself("x-os", limit)}}
	}
	writer := func(by string) match {
		return match{name: "append 64 B/" + by, ours: run("./file", "^BenchmarkWriter$/^append$/^record=64$/"+
			"^size=131072$/^by="+by+"$", "30x"), asked: []asked{itself("x-bufio", 1), itself("x-same", 0)}}
	}
	reads := func(name, benchmark string, asked ...asked) match {
		bench := func(whose string) contest.Command {
			return run("./file", "^Benchmark"+benchmark+"$/^"+whose+"$", "16000x")
		}
		return match{name, bench("file"), bench("std"), asked}
	}
	direct := func(path string) contest.Command {
		argv := strings.Fields("{bin}/ringo bench file -quiet -direct -depth 32 -time 1s -paths " + path)
		if short {
			argv = append(argv, "-time", "100ms", "-size", "16M")
		}
		return contest.Command{Argv: argv, Figures: func(out string) map[string]float64 {
			return report.Row(out, "path", path)
		}}
	}
	store := func(name string, size int, base string, asked ...asked) match {
		appends := func(store string) contest.Command {
			return run("./examples/logstore", fmt.Sprintf("^BenchmarkAppend$/^size=%d$/^%s$", size, store), "1s")
		}
		return match{name, appends("store=file"), appends(base), asked}
	}
	return []match{
		cached("disk", "goroutine", 1/0.95), cached("tmpfs", "goroutine", 1/0.95),
		cached("overlayfs", "goroutine", 1/0.95),
		cached("disk", "task,uring", 1), cached("tmpfs", "task,uring", 1),
		cached("overlayfs", "task,uring", 1.3), // which can't be told not to wait
		writer("goroutine"), writer("task,uring"), writer("task,epoll"),
		reads("direct32", "Direct32", atLeast("IOPS", 1.2), atMost(cpu, 0.6), itself("threads", 8)),
		reads("direct256", "Direct256", atLeast("IOPS", 1), atMost(cpu, 0.65), itself("threads", 8)),
		reads("cold256", "Cold256", atLeast("IOPS", 1), atMost(cpu, 0), itself("threads", 16)),
		{besideFio, direct("task"), direct("fio"), []asked{atLeast("IOPS", 0), atMost(cpuOp, 1/0.9)}},
		store("log store, 128 B", 128, "store=os", atLeast("records/s", 1), atMost(cpuRecord, 0.8)),
		store("log store, 4 KiB", 4096, "store=os", atLeast("records/s", 1), atMost(cpuRecord, 0.8)),
		store("log store beside a sync each, 128 B", 128, "naive", atLeast("records/s", 4)),
		store("log store beside a sync each, 4 KiB", 4096, "naive", atLeast("records/s", 4)),
	}
}

// disk measures what reads, writes and syncs cost in package file, in package os and in fio. The files lie in the
// folder for temporary files.
func disk(ctx context.Context, o *options) (ok bool, err error) {
	o.loads = false
	o.hasShort(0, 0)
	var cells []contest.Cell
	var pairs []pair
	if err := o.parse(func() (err error) {
		cells, pairs, err = o.diskCells()
		return err
	}); err != nil {
		return false, err
	}
	rec, err := o.measure(ctx, cells)
	if err != nil {
		return false, err
	}
	fmt.Fprint(o.stdout, diskTable(rec.Results(), pairs), failures(rec))
	return passed(rec), nil
}

// The sides of a match.
const (
	ourSide  = "file"
	baseSide = "base"
)

// diskCells are those of some matches, or of all that can be measured here.
func (o *options) diskCells() (cells []contest.Cell, pairs []pair, err error) {
	matches, names := diskMatches(o.short), o.Args()
	var known []string
	for _, m := range matches {
		known = append(known, m.name)
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		if m.name == besideFio && !rig.Has("fio") {
			fmt.Fprintf(o.stderr, "left out: %s: fio is not installed: apt-get install fio\n", m.name)
			continue
		}
		c := contest.Cell{Load: m.name, Servers: []string{ourSide},
			Command: map[string]contest.Command{ourSide: m.ours}}
		if m.base.Argv != nil {
			c.Servers, c.Command[baseSide] = append(c.Servers, baseSide), m.base
		}
		cells = append(cells, c)
		for _, a := range m.asked {
			pairs = append(pairs, pair{m.name, ourSide, baseSide, a})
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return cells, pairs, nil
}

func diskTable(results []*contest.Result, pairs []pair) string {
	return judge(results, pairs, []string{"", "figure"}, func(p *pair) ([]string, string) {
		unit, bound := p.figure, p.asked
		if p.how == ratio {
			unit += ", ratio"
		}
		if bound.figure = ""; !bound.judged() {
			return []string{p.cell, unit}, "-"
		}
		return []string{p.cell, unit}, bound.String()
	})
}
