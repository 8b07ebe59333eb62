package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
)

// cell holds the samples of one load, by server, both in the order of their first appearance.
type cell struct {
	name    string
	servers []string
	samples map[string][]sample.Sample
}

func group(samples []sample.Sample) []*cell {
	var cells []*cell
	for _, s := range samples {
		i := slices.IndexFunc(cells, func(c *cell) bool { return c.name == s.Cell })
		if i < 0 {
			i = len(cells)
			cells = append(cells, &cell{name: s.Cell, samples: make(map[string][]sample.Sample)})
		}
		c := cells[i]
		if _, known := c.samples[s.Server]; !known {
			c.servers = append(c.servers, s.Server)
		}
		c.samples[s.Server] = append(c.samples[s.Server], s)
	}
	return cells
}

// median is NaN for no values.
func median(v []float64) float64 { return report.Quantile(v, 0.5) }

// spread is the distance of the extremes in percent of the median.
func spread(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return (slices.Max(v) - slices.Min(v)) / median(v) * 100
}

// values picks a figure out of the samples that have one.
func values(samples []sample.Sample, pick func(*sample.Sample) float64) []float64 {
	var v []float64
	for i := range samples {
		if samples[i].Failed == "" {
			v = append(v, pick(&samples[i]))
		}
	}
	return v
}

// ratio is the median of the ratios.
func (c *cell) ratio(server, base string) float64 { return median(c.ratios(server, base)) }

// ratios are those, in the rounds that have both, of requests per server CPU second, server to base.
func (c *cell) ratios(server, base string) []float64 {
	return c.inRounds(server, base, func(s, b *sample.Sample) float64 { return b.CPUMicros / s.CPUMicros })
}

// inRounds compares a server with a base in the rounds that have both.
func (c *cell) inRounds(server, base string, compare func(s, b *sample.Sample) float64) []float64 {
	var v []float64
	for _, s := range c.samples[server] {
		for _, b := range c.samples[base] {
			if s.Round == b.Round && s.CPUMicros > 0 && b.CPUMicros > 0 {
				v = append(v, compare(&s, &b))
			}
		}
	}
	return v
}

type column struct {
	head, format string
	pick         func(*sample.Sample) float64
}

var echoColumns = []column{
	{"req/s", "%.0f", func(s *sample.Sample) float64 { return s.PerSecond }},
	{"p50 us", "%.0f", func(s *sample.Sample) float64 { return s.P50 }},
	{"p99 us", "%.0f", func(s *sample.Sample) float64 { return s.P99 }},
	{"p99.9 us", "%.0f", func(s *sample.Sample) float64 { return s.P999 }},
	{"server", "%.2f", func(s *sample.Sample) float64 { return s.ServerBusy }},
	{"load", "%.2f", func(s *sample.Sample) float64 { return s.LoadBusy }},
	{"other", "%.2f", func(s *sample.Sample) float64 { return s.OtherBusy }},
}

var diskColumns = []column{
	{"disk KiB/s", "%.0f", func(s *sample.Sample) float64 { return s.DiskRead / 1024 }},
}

var idleColumns = []column{
	{"server CPU %", "%.3f", func(s *sample.Sample) float64 { return s.ServerBusy * 100 }},
}

var memoryColumns = []column{
	{"RSS before KiB", "%.0f", func(s *sample.Sample) float64 { return float64(s.RSSBefore) / 1024 }},
	{"after KiB", "%.0f", func(s *sample.Sample) float64 { return float64(s.RSSAfter) / 1024 }},
	{"KiB a connection", "%.3f", func(s *sample.Sample) float64 { return s.RSSPerConn / 1024 }},
}

// columns depend on what the cell's mode measures.
func (c *cell) columns() []column {
	switch {
	case c.idle():
		return slices.Concat(memoryColumns, idleColumns)
	case c.mode() == "go":
		return nil
	case c.mode() == "paced":
		return slices.Concat(echoColumns, diskColumns)
	case c.mode() == "slow":
		return slices.Concat(echoColumns, memoryColumns)
	default:
		return echoColumns
	}
}

// idle says that the cell has no requests to divide by.
func (c *cell) idle() bool { return c.mode() == "idle" }

// mode is that of load: the name is [PAIR/][MODE:]SIZES.
func (c *cell) mode() string {
	mode, _, _ := strings.Cut(c.name[strings.IndexByte(c.name, '/')+1:], ":")
	return mode
}

func cpu(s *sample.Sample) float64 { return s.CPUMicros }

func format(cells []*cell, base []string) string {
	var b strings.Builder
	for _, c := range cells {
		rows := [][]string{c.head(base)}
		for _, server := range c.servers {
			rows = append(rows, c.row(server, base))
		}
		report.Table(&b, rows)
		for _, server := range c.servers {
			for _, s := range c.samples[server] {
				writeTrouble(&b, &s)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// unprinted are the columns that documentation leaves out.
var unprinted = []string{"rounds", "server", "load", "other"}

// formatMarkdown is format for documentation.
func formatMarkdown(cells []*cell, base []string) string {
	var b strings.Builder
	for _, c := range cells {
		head := c.head(base)
		fmt.Fprintf(&b, "%s\n\n", head[0])
		line := func(row []string) {
			for i, text := range row {
				if i == 0 || !slices.Contains(unprinted, head[i]) {
					fmt.Fprintf(&b, "| %s ", text)
				}
			}
			b.WriteString("|\n")
		}
		line(append([]string{"server"}, head[1:]...))
		line(slices.Repeat([]string{"---"}, len(head)))
		for _, server := range c.servers {
			line(c.row(server, base))
		}
		b.WriteByte('\n')
		for _, server := range c.servers {
			for _, s := range c.samples[server] {
				writeTrouble(&b, &s)
			}
		}
	}
	return b.String()
}

func (c *cell) head(base []string) []string {
	row := []string{c.name, "rounds"}
	if c.idle() {
		base = nil
	} else {
		row = append(row, "cpu us", "spread")
	}
	for _, name := range base {
		row = append(row, "x "+name)
	}
	for _, col := range c.columns() {
		row = append(row, col.head)
	}
	return row
}

func (c *cell) row(server string, base []string) []string {
	samples := c.samples[server]
	used := values(samples, cpu)
	row := []string{server, fmt.Sprint(len(used))}
	if c.idle() {
		base = nil
	} else {
		row = append(row, number("%.3f", median(used)), number("%.0f%%", spread(used)))
	}
	for _, name := range base {
		row = append(row, number("%.3f", c.ratio(server, name)))
	}
	for _, col := range c.columns() {
		row = append(row, number(col.format, median(values(samples, col.pick))))
	}
	return row
}

func number(format string, v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func writeTrouble(b *strings.Builder, s *sample.Sample) {
	if s.Failed != "" {
		fmt.Fprintf(b, "FAILED  round %d, %s: %s\n", s.Round, s.Server, s.Failed)
	}
	if s.Errors > 0 || s.Mismatches > 0 || s.Starved > 0 {
		fmt.Fprintf(b, "TROUBLE round %d, %s: %d errors, %d mismatches, %d starved connections\n",
			s.Round, s.Server, s.Errors, s.Mismatches, s.Starved)
	}
}

func formatTSV(samples []sample.Sample) string {
	var b strings.Builder
	b.WriteString("round\tcell\tserver\tmode\tconns\tsize\tdepth\tseconds\trequests\t" +
		"req_s\tcpu_us\tserver_core\tload_core\tother_core\t" +
		"p50_us\tp99_us\tp999_us\tmax_us\terrors\tmismatches\tstarved\trss_before\trss_after\tfailed\n")
	for _, s := range samples {
		fmt.Fprintf(&b, "%d\t%s\t%s\t%s\t%d\t%d\t%d\t%.4f\t%d\t"+
			"%.1f\t%.4f\t%.4f\t%.4f\t%.4f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%d\t%d\t%d\t%d\t%s\n",
			s.Round, s.Cell, s.Server, s.Mode, s.Conns, s.Size, s.Depth, s.Seconds, s.Requests,
			s.PerSecond, s.CPUMicros, s.ServerBusy, s.LoadBusy, s.OtherBusy, s.P50, s.P99, s.P999, s.Max, s.Errors,
			s.Mismatches, s.Starved, s.RSSBefore, s.RSSAfter,
			strings.NewReplacer("\t", " ", "\n", " ").Replace(s.Failed))
	}
	return b.String()
}
