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

// column is a figure of a table: its median over the rounds.
type column struct {
	head, format string
	of           func(*sample.Sample) float64
}

var echoColumns = []column{
	{"req/s", "%.0f", contest.PerSecond},
	{"p50 us", "%.0f", contest.P50.Of},
	{"p99 us", "%.0f", contest.P99.Of},
	{"p99.9 us", "%.0f", func(s *sample.Sample) float64 { return s.P999 }},
	{"server", "%.2f", func(s *sample.Sample) float64 { return s.ServerBusy }},
	{"load", "%.2f", func(s *sample.Sample) float64 { return s.LoadBusy }},
	{"other", "%.2f", func(s *sample.Sample) float64 { return s.OtherBusy }},
}

var diskColumns = []column{
	{"disk KiB/s", "%.0f", func(s *sample.Sample) float64 { return s.DiskRead / 1024 }},
}

var memoryColumns = []column{
	{"RSS before KiB", "%.0f", func(s *sample.Sample) float64 { return float64(s.RSSBefore) / 1024 }},
	{"after KiB", "%.0f", func(s *sample.Sample) float64 { return float64(s.RSSAfter) / 1024 }},
	{"KiB a connection", "%.3f", rss},
}

var idleColumns = []column{
	{"server CPU %", "%.3f", func(s *sample.Sample) float64 { return s.ServerBusy * 100 }},
}

func rss(s *sample.Sample) float64 { return s.RSSPerConn / 1024 }

// columns depend on what the load measures. One that is idle has no requests to divide by.
func columns(mode string) (idle bool, all []column) {
	switch mode {
	case "": // a program that measures by itself
		return false, nil
	case "idle":
		return true, slices.Concat(memoryColumns, idleColumns)
	case "paced":
		return false, slices.Concat(echoColumns, diskColumns)
	case "slow":
		return false, slices.Concat(echoColumns, memoryColumns)
	}
	return false, echoColumns
}

// form is how a table is written.
type form = func(*strings.Builder, [][]string)

// tables prints what a run was and a table for each of its cells: medians over the rounds, and medians of the ratios of
// requests per second of server CPU time to those of the base servers.
func (o *options) tables(rec *contest.Record, base []string, write form) {
	var b strings.Builder
	head(&b, rec)
	for _, r := range rec.Results() {
		write(&b, rows(r, base))
		b.WriteString(troubles(rec, r.Cell.Name()))
		b.WriteByte('\n')
	}
	fmt.Fprint(o.stdout, &b)
}

// troubles are lines of what went wrong in a cell.
func troubles(rec *contest.Record, cell string) string {
	var b strings.Builder
	for _, s := range rec.Samples {
		if s.Cell == cell && s.Failed != "" {
			fmt.Fprintf(&b, "FAILED  round %d, %s: %s\n", s.Round, s.Server, s.Failed)
		}
		if s.Cell == cell && (s.Errors > 0 || s.Mismatches > 0 || s.Starved > 0) {
			fmt.Fprintf(&b, "TROUBLE round %d, %s: %d errors, %d mismatches, %d starved connections\n", s.Round,
				s.Server, s.Errors, s.Mismatches, s.Starved)
		}
	}
	return b.String()
}

// failures are lines of what went wrong in any.
func failures(rec *contest.Record) (lines string) {
	for _, r := range rec.Results() {
		if text := troubles(rec, r.Cell.Name()); text != "" {
			lines += r.Cell.Name() + "\n" + text
		}
	}
	return lines
}

// head is what a run was, and where.
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

// rows are a cell's table.
func rows(r *contest.Result, base []string) [][]string {
	idle, columns := columns(r.Cell.Mode)
	row := []string{r.Cell.Name(), "rounds"}
	if idle {
		base = nil
	} else {
		row = append(row, "cpu us", "spread")
	}
	for _, name := range base {
		row = append(row, "x "+name)
	}
	for _, c := range columns {
		row = append(row, c.head)
	}
	all := [][]string{row}
	for _, server := range r.Order() {
		row := []string{server, fmt.Sprint(r.Rounds(server))}
		if used := r.Values(server, contest.CPU.Of); !idle {
			row = append(row, number("%.3f", report.Quantile(used, 0.5)), number("%.0f%%", spread(used)))
		}
		for _, name := range base {
			row = append(row, number("%.3f", r.Ratio(contest.CPU, server, name).Median))
		}
		for _, c := range columns {
			row = append(row, number(c.format, r.Median(server, c.of)))
		}
		all = append(all, row)
	}
	return all
}

// spread is the distance of the extremes in percent of the median.
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

// names are a map's keys, in order.
func names[K cmp.Ordered, V any](m map[K]V) []K {
	var all []K
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
