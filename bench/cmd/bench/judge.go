//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
)

// roundsMin is how many rounds a verdict needs.
const roundsMin = 3

// pair is a server beside another in one cell, with the bound for it.
type pair struct {
	cell, server, base string // base "": the server by itself
	asked
}

// asked is a figure, with a bound for its median.
type asked struct {
	figure  string // "": requests per second of the server's CPU, relative to the base's
	how     how
	atLeast bool
	limit   float64 // 0: the figure is only shown
}

// how a figure is computed.
type how int

const (
	ratio how = iota // its ratio to the base's, within a round
	alone            // itself
	over             // its difference from the base's median
)

func atLeast(figure string, limit float64) asked { return asked{figure, ratio, true, limit} }
func atMost(figure string, limit float64) asked  { return asked{figure, ratio, false, limit} }
func itself(figure string, limit float64) asked  { return asked{figure, alone, false, limit} }
func above(figure string, limit float64) asked   { return asked{figure, over, false, limit} }

var shown asked

func (a asked) judged() bool { return a.limit != 0 || a.how == over }

func (a asked) String() string {
	sign, base := "<=", ""
	if a.atLeast {
		sign = ">="
	}
	if a.how == over {
		base = "base+"
	}
	if !a.judged() {
		return cmp.Or(a.figure, "-")
	}
	return strings.TrimSuffix(fmt.Sprintf("%s%s%s%.3g", a.figure, sign, base, a.limit), "+0")
}

// of returns the figure in a sample.
func (a asked) of(s *sample.Sample) float64 {
	switch a.figure {
	case "":
		return 1 / s.CPUMicros
	case "us":
		return s.CPUMicros
	case "p99":
		return s.P99
	case "rss":
		return rss(s)
	case "own": // a benchmark that compares two sides
		return s.Figures["ratio"]
	}
	return s.Figures[a.figure]
}

// result returns the result of the pair's cell, or one without samples.
func (p *pair) result(results []*contest.Result) *contest.Result {
	i := slices.IndexFunc(results, func(r *contest.Result) bool { return r.Cell.Name() == p.cell })
	if i < 0 {
		return new(contest.Result)
	}
	return results[i]
}

// values returns the figure of each round.
func (p *pair) values(results []*contest.Result) []float64 {
	r := p.result(results)
	if p.how == ratio {
		return r.Ratios(p.of, p.server, p.base)
	}
	v := r.Values(p.server, p.of)
	if p.how == over {
		base := r.Median(p.base, p.of)
		for i := range v {
			v[i] -= base
		}
	}
	return v
}

// verdict says whether the median is within the bound.
func (a asked) verdict(values []float64) string {
	m := report.Quantile(values, 0.5)
	switch {
	case !a.judged():
		return ""
	case math.IsNaN(m):
		return "not measured"
	case len(values) < roundsMin:
		return "too few rounds"
	case a.atLeast && m >= a.limit, !a.atLeast && m <= a.limit:
		return "met"
	}
	return "NOT MET"
}

// judged measures the cells, and prints a table of the pairs. words returns a pair's name, in as many columns as head
// has, and its bound. If there are loads, the cells' own tables come first.
func (o *options) judged(ctx context.Context, cells []contest.Cell, pairs []pair, head []string,
	words func(*pair, []*contest.Result) ([]string, string)) error {
	rec, err := o.measure(ctx, cells)
	if err != nil {
		return err
	}
	if o.loads {
		o.tables(rec, nil, report.Table)
	}
	results := rec.Results()
	rows := [][]string{append(head, "rounds", "quartile", "median", "quartile", "bound", "")}
	for i := range pairs {
		p := &pairs[i]
		v := p.values(results)
		row, bound := words(p, results)
		row = append(row, fmt.Sprint(len(v)))
		for _, q := range []float64{0.25, 0.5, 0.75} {
			row = append(row, number("%.3f", report.Quantile(v, q)))
		}
		rows = append(rows, append(row, bound, p.verdict(v)))
	}
	var b strings.Builder
	report.Table(&b, rows)
	fmt.Fprint(o.stdout, &b)
	return o.end(rec)
}

// judgedLoads is judged for pairs of servers under a load.
func (o *options) judgedLoads(ctx context.Context, cells []contest.Cell, pairs []pair) error {
	head := []string{"pair", "load", "server", "base"}
	return o.judged(ctx, cells, pairs, head, func(p *pair, _ []*contest.Result) ([]string, string) {
		name, load, _ := strings.Cut(p.cell, "/")
		return []string{name, load, p.server, cmp.Or(p.base, "-")}, p.asked.String()
	})
}
