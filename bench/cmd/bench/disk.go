//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// match is package file beside another implementation, with the bounds for it.
type match struct {
	contest.Cell // the servers are ours and the base; without a base, our benchmark compares by itself
	asked        []asked
}

// sides makes a match of two commands, or of one.
func sides(name string, ours contest.Command, base *contest.Command, asked ...asked) match {
	c := contest.Cell{Load: name, Servers: []string{"file"}, Command: map[string]contest.Command{"file": ours}}
	if base != nil {
		c.Servers, c.Command["base"] = append(c.Servers, "base"), *base
	}
	return match{c, asked}
}

const (
	cpu       = "cpu-µs/op"
	cpuRecord = "cpu-µs/record"
)

// diskMatches returns all matches, with the project's bounds. If short, they run for a moment.
func diskMatches(short bool) []match {
	run := func(pkg, pattern, times string) contest.Command {
		if short {
			times = "10x"
		}
		return benchmark(pkg, pattern, times)
	}
	cached := func(where, by string, limit float64) match {
		return sides("cached/"+where+"/"+by, run("./file", "^BenchmarkReadAtCached$/^fs="+where+"$/^size=4096$/^by="+by+
			"$", "200x"), nil, itself("x-os", limit))
	}
	writer := func(by string) match {
		return sides("append 64 B/"+by, run("./file", "^BenchmarkWriter$/^append$/^record=64$/^size=131072$/^by="+by+
			"$", "30x"), nil, itself("x-bufio", 1), itself("x-same", 0))
	}
	reads := func(name, benchmark string, asked ...asked) match {
		base := run("./file", "^Benchmark"+benchmark+"$/^std$", "16000x")
		return sides(name, run("./file", "^Benchmark"+benchmark+"$/^file$", "16000x"), &base, asked...)
	}
	store := func(name string, size int, base string, asked ...asked) match {
		appends := func(store string) contest.Command {
			return run("./examples/logstore", fmt.Sprintf("^BenchmarkAppend$/^size=%d$/^%s$", size, store), "1s")
		}
		other := appends(base)
		return sides(name, appends("store=file"), &other, asked...)
	}
	return []match{
		cached("disk", "goroutine", 1/0.95), cached("tmpfs", "goroutine", 1/0.95),
		cached("overlayfs", "goroutine", 1/0.95),
		cached("disk", "task,uring", 1), cached("tmpfs", "task,uring", 1),
		cached("overlayfs", "task,uring", 1.3), // overlayfs has no reads that do not wait
		writer("goroutine"), writer("task,uring"), writer("task,epoll"),
		reads("direct32", "Direct32", atLeast("IOPS", 1.2), atMost(cpu, 0.6), itself("threads", 8)),
		reads("direct256", "Direct256", atLeast("IOPS", 1), atMost(cpu, 0.65), itself("threads", 8)),
		reads("cold256", "Cold256", atLeast("IOPS", 1), atMost(cpu, 0), itself("threads", 16)),
		{contest.Cell{Load: "tasks beside fio", Size: 4 << 10, Depth: 32, Servers: []string{"disk-task", "fio"}},
			[]asked{atLeast("IOPS", 0), atMost("CPU µs/op", 1/0.9)}},
		store("log store, 128 B", 128, "store=os", atLeast("records/s", 1), atMost(cpuRecord, 0.8)),
		store("log store, 4 KiB", 4096, "store=os", atLeast("records/s", 1), atMost(cpuRecord, 0.8)),
		store("log store beside a sync each, 128 B", 128, "naive", atLeast("records/s", 4)),
		store("log store beside a sync each, 4 KiB", 4096, "naive", atLeast("records/s", 4)),
	}
}

// disk measures what reads, writes and syncs cost in package file, in package os and in fio. The files are in the
// folder for temporary files.
func disk(ctx context.Context, o *options) error {
	o.loads, o.seconds = false, 0.5
	o.hasShort(0, 0)
	var cells []contest.Cell
	var pairs []pair
	if err := o.parse(func() (err error) {
		cells, pairs, err = diskCells(o.Args(), o.short)
		return err
	}); err != nil {
		return err
	}
	if o.short {
		o.seconds, o.setUp = 0.05, func(r *rig.Rig) { r.FileMiB = 16 }
	}
	return o.judged(ctx, cells, pairs, []string{"", "figure"}, func(p *pair, _ []*contest.Result) ([]string, string) {
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

// diskCells returns the cells and pairs of the named matches, or of all.
func diskCells(names []string, short bool) (cells []contest.Cell, pairs []pair, err error) {
	var known []string
	for _, m := range diskMatches(short) {
		if known = append(known, m.Load); len(names) > 0 && !slices.Contains(names, m.Load) {
			continue
		}
		cells = append(cells, m.Cell)
		for _, a := range m.asked {
			pairs = append(pairs, pair{m.Load, m.Servers[0], m.Servers[len(m.Servers)-1], a})
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return cells, pairs, nil
}
