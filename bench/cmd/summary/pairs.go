package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
)

// roundsMin is how many rounds a verdict needs.
const roundsMin = 3

// pair is a line of bench/pairs: a server beside another under one load, and what is asked of them.
type pair struct {
	name, load, server, base string
	bound                    bound
}

// bound is what the median of a figure must be.
type bound struct {
	text    string
	figure  string // ratio, p99, rss, us or own, a ratio that the server itself tells; "" if nothing is asked
	atLeast bool
	toBase  bool // the limit is the base's figure and limit
	limit   float64
}

func parseBound(text string) (bound, error) {
	b := bound{text: text}
	rest := text
	switch {
	case text == "-":
		return b, nil
	case text == "p99":
		b.figure = text
		return b, nil
	case strings.HasPrefix(text, ">="):
		b.figure, b.atLeast, rest = "ratio", true, text[2:]
	case strings.HasPrefix(text, "<="):
		b.figure, rest = "ratio", text[2:]
	case strings.HasPrefix(text, "rss<="):
		b.figure, rest = "rss", text[5:]
		if rest, b.toBase = strings.CutPrefix(rest, "base"); b.toBase && rest == "" {
			return b, nil
		}
	case strings.HasPrefix(text, "p99<="):
		b.figure, rest = "p99", text[5:]
	case strings.HasPrefix(text, "own<="):
		b.figure, rest = "own", text[5:]
	case strings.HasPrefix(text, "us<="):
		b.figure, rest = "us", text[4:]
	}
	var err error
	if b.limit, err = strconv.ParseFloat(rest, 64); err != nil || b.figure == "" {
		return b, fmt.Errorf("%q is no bound", text)
	}
	return b, nil
}

func readPairs(r io.Reader) ([]pair, error) {
	var all []pair
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("%q is not \"pair load server base bound\"", lines.Text())
		}
		b, err := parseBound(f[4])
		if err != nil {
			return nil, err
		}
		all = append(all, pair{f[0], f[1], f[2], f[3], b})
	}
	return all, lines.Err()
}

// figures are the values of the rounds that have what the bound is about.
func (p *pair) figures(c *cell) []float64 {
	switch figure := p.bound.figure; {
	case figure == "rss":
		own := values(c.samples[p.server], rss)
		if p.bound.toBase {
			base := median(values(c.samples[p.base], rss))
			for i := range own {
				own[i] -= base
			}
		}
		return own
	case figure == "p99":
		return c.inRounds(p.server, p.base, func(s, b *sample.Sample) float64 { return s.P99 / b.P99 })
	case figure == "own":
		return values(c.samples[p.server], func(s *sample.Sample) float64 { return s.Ratio })
	case figure == "us" || p.base == "-":
		return values(c.samples[p.server], cpu)
	default:
		return c.ratios(p.server, p.base)
	}
}

func rss(s *sample.Sample) float64 { return s.RSSPerConn / 1024 }

// verdict says whether the bound is met.
func (b *bound) verdict(figures []float64) string {
	m := median(figures)
	switch {
	case b.figure == "", b.figure == b.text:
		return ""
	case math.IsNaN(m):
		return "not measured"
	case len(figures) < roundsMin:
		return "too few rounds"
	case b.atLeast && m >= b.limit, !b.atLeast && m <= b.limit:
		return "met"
	default:
		return "NOT MET"
	}
}

func formatPairs(pairs []pair, cells []*cell) string {
	rows := [][]string{{"pair", "load", "server", "base", "rounds", "quartile", "median", "quartile", "bound", ""}}
	for _, p := range pairs {
		c := &cell{}
		if i := slices.IndexFunc(cells, func(c *cell) bool { return c.name == p.name+"/"+p.load }); i >= 0 {
			c = cells[i]
		}
		v := p.figures(c)
		row := []string{p.name, p.load, p.server, p.base, fmt.Sprint(len(v))}
		for _, q := range []float64{0.25, 0.5, 0.75} {
			row = append(row, number("%.3f", report.Quantile(v, q)))
		}
		rows = append(rows, append(row, p.bound.text, p.bound.verdict(v)))
	}
	var b strings.Builder
	report.Table(&b, rows)
	return b.String()
}
