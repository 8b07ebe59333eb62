//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
)

// column is a figure of a table, as its median over the rounds.
type column struct {
	head, format string
	modes        string // the load's modes that have it; "": all with requests
	of           func(*sample.Sample) float64
}

var columns = []column{
	{"req/s", "%.0f", "", contest.PerSecond},
	{"p50 us", "%.0f", "", contest.P50.Of},
	{"p99 us", "%.0f", "", contest.P99.Of},
	{"p99.9 us", "%.0f", "", func(s *sample.Sample) float64 { return s.P999 }},
	{"server", "%.2f", "", func(s *sample.Sample) float64 { return s.ServerBusy }},
	{"load", "%.2f", "", func(s *sample.Sample) float64 { return s.LoadBusy }},
	{"other", "%.2f", "", func(s *sample.Sample) float64 { return s.OtherBusy }},
	{"disk KiB/s", "%.0f", "paced", func(s *sample.Sample) float64 { return s.DiskRead / 1024 }},
	{"RSS before KiB", "%.0f", "idle slow", func(s *sample.Sample) float64 { return float64(s.RSSBefore) / 1024 }},
	{"after KiB", "%.0f", "idle slow", func(s *sample.Sample) float64 { return float64(s.RSSAfter) / 1024 }},
	{"KiB a connection", "%.3f", "idle slow", rss},
	{"server CPU %", "%.3f", "idle", func(s *sample.Sample) float64 { return s.ServerBusy * 100 }},
}

func rss(s *sample.Sample) float64 { return s.RSSPerConn / 1024 }

// in reports whether a mode has the column. Programs that measure themselves have none.
func (c *column) in(mode string) bool {
	return mode != "" && (strings.Contains(c.modes, mode) || c.modes == "" && mode != "idle")
}

// tables prints what the run was, and a table for each cell: medians over the rounds, and medians of the ratios to the
// base servers in requests per second of server CPU time.
func (o *options) tables(rec *contest.Record, base []string, write func(*strings.Builder, [][]string)) {
	var b strings.Builder
	head(&b, rec)
	for _, r := range rec.Results() {
		write(&b, rows(r, base))
		b.WriteByte('\n')
	}
	fmt.Fprint(o.stdout, &b)
}

// end prints what went wrong. It returns an error if a server failed or an answer was wrong.
func (o *options) end(rec *contest.Record) error {
	for _, s := range rec.Samples {
		if s.Failed != "" {
			fmt.Fprintf(o.stdout, "FAILED  round %d, %s, %s: %s\n", s.Round, s.Cell, s.Server, s.Failed)
		}
		if s.Errors > 0 || s.Mismatches > 0 || s.Starved > 0 {
			fmt.Fprintf(o.stdout, "TROUBLE round %d, %s, %s: %d errors, %d mismatches, %d starved connections\n",
				s.Round, s.Cell, s.Server, s.Errors, s.Mismatches, s.Starved)
		}
	}
	if _, n := rec.Disturbed(); n > 0 {
		return fmt.Errorf("%d of %d measurements failed", n, len(rec.Samples))
	}
	return nil
}

// head prints what the run was, and where.
func head(b *strings.Builder, rec *contest.Record) {
	a := &rec.About
	fmt.Fprintf(b, "host     %d x %s, Linux %s\n", a.Host.CPUs, a.Host.CPU, a.Host.Kernel)
	for _, name := range []string{"Go", "gcc", "nginx", "redis-server", "fio"} {
		if version := a.Host.Versions[name]; version != "" {
			fmt.Fprintf(b, "tool     %s: %s\n", name, version)
		}
	}
	for _, name := range names(a.Host.Mitigations) {
		fmt.Fprintf(b, "flaw     %s: %s\n", name, a.Host.Mitigations[name])
	}
	fmt.Fprintf(b, "commit   %s\ncommand  %s\n", a.Commit, a.Command)
	fmt.Fprintf(b, "load     %d rounds, warm-up %v s, window %v s\n\n", a.Rounds, a.Warmup, a.Seconds)
}

// rows returns a cell's table. An idle cell has no requests to divide by.
func rows(r *contest.Result, base []string) [][]string {
	idle := r.Cell.Mode == "idle"
	all := [][]string{{r.Cell.Name(), "rounds"}}
	for _, server := range r.Order() {
		all = append(all, []string{server, fmt.Sprint(r.Rounds(server))})
	}
	add := func(head string, of func(server string) string) {
		all[0] = append(all[0], head)
		for i, server := range r.Order() {
			all[i+1] = append(all[i+1], of(server))
		}
	}
	if !idle {
		add("cpu us", func(s string) string { return number("%.3f", r.Median(s, contest.CPU.Of)) })
		add("spread", func(s string) string { return number("%.0f%%", spread(r.Values(s, contest.CPU.Of))) })
		for _, name := range base {
			add("x "+name, func(s string) string { return number("%.3f", r.Ratio(contest.CPU, s, name).Median) })
		}
	}
	for _, c := range columns {
		if c.in(r.Cell.Mode) {
			add(c.head, func(s string) string { return number(c.format, r.Median(s, c.of)) })
		}
	}
	return all
}

// spread returns the distance between the extremes, in percent of the median.
func spread(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return (slices.Max(v) - slices.Min(v)) / report.Quantile(v, 0.5) * 100
}

func number(format string, v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// names returns a map's keys, sorted.
func names[K cmp.Ordered, V any](m map[K]V) []K {
	var all []K
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
