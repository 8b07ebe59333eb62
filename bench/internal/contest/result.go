package contest

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
	"ringo/bench/internal/stats"
	"ringo/internal/measure"
)

// Figure is a value that servers are compared by. Ratio computes ratios of it such that above one is better.
type Figure struct {
	Name string
	Unit string
	Of   func(*sample.Sample) float64
}

// The figures. Lower is better for all.
var (
	CPU = Figure{"CPU a request", "µs", func(s *sample.Sample) float64 { return s.CPUMicros }}
	P50 = Figure{"p50", "µs", func(s *sample.Sample) float64 { return s.P50 }}
	P99 = Figure{"p99", "µs", func(s *sample.Sample) float64 { return s.P99 }}
)

// PerSecond returns the requests per second.
func PerSecond(s *sample.Sample) float64 { return s.PerSecond }

// Result is a cell with its samples.
type Result struct {
	Cell    Cell
	samples map[string][]sample.Sample // by server, without those that failed
	failed  map[string][]sample.Sample
	order   []string
	noise   map[string]float64 // by the figure's name
}

// Results returns the cells of the record that have samples, in order. Cells that this version does not know come
// last.
func (r *Record) Results() []*Result {
	var all []*Result
	known := Cells()
	for _, s := range r.Samples {
		i := slices.IndexFunc(all, func(res *Result) bool { return res.Cell.Name() == s.Cell })
		if i < 0 {
			i = len(all)
			all = append(all, newResult(known, s.Cell))
		}
		all[i].add(s)
	}
	slices.SortStableFunc(all, func(a, b *Result) int { return cmp.Compare(index(known, a), index(known, b)) })
	shareNoise(all)
	return all
}

func index(known []Cell, r *Result) int {
	i := slices.IndexFunc(known, func(c Cell) bool { return c.Name() == r.Cell.Name() })
	if i < 0 {
		return len(known)
	}
	return i
}

func newResult(known []Cell, name string) *Result {
	r := &Result{samples: map[string][]sample.Sample{}, failed: map[string][]sample.Sample{},
		noise: map[string]float64{}}
	if i := slices.IndexFunc(known, func(c Cell) bool { return c.Name() == name }); i >= 0 {
		r.Cell = known[i]
	} else {
		kind, load, found := strings.Cut(name, "/")
		if !found {
			kind, load = "", name
		}
		r.Cell, _ = Parse(Kind(kind), load) // fails for a load that is not the load generator's
		r.Cell.Kind, r.Cell.Load, r.Cell.Title, r.Cell.Match = Kind(kind), load, name, Match{flagship, Base}
	}
	return r
}

func (r *Result) add(s sample.Sample) {
	if !slices.Contains(r.order, s.Server) {
		r.order = append(r.order, s.Server)
	}
	if whole(&s) {
		r.samples[s.Server] = append(r.samples[s.Server], s)
	} else {
		r.failed[s.Server] = append(r.failed[s.Server], s)
	}
}

// whole reports whether a sample is valid: the measurement did not fail, and no answer was wrong.
func whole(s *sample.Sample) bool { return s.Failed == "" && s.Errors == 0 && s.Mismatches == 0 }

// shareNoise gives cells without a control the largest noise of the closed cells that have one.
func shareNoise(all []*Result) {
	for _, f := range []Figure{CPU, P50, P99} {
		most := 0.0
		for _, r := range all {
			if i := r.Ratio(f, Control, Base); i.Rounds > 0 {
				r.noise[f.Name] = stats.Deviation(i.Median)
				if r.Cell.Share == 0 {
					most = max(most, r.noise[f.Name])
				}
			}
		}
		for _, r := range all {
			if _, has := r.noise[f.Name]; !has {
				r.noise[f.Name] = most
			}
		}
	}
}

// Noise returns the share by which Go net differed from itself.
func (r *Result) Noise(f Figure) float64 { return r.noise[f.Name] }

// Order returns the servers that have samples, in the order of their first.
func (r *Result) Order() []string { return r.order }

// Servers returns the servers that have samples, the best first. Servers that failed in all rounds come last.
func (r *Result) Servers() []string {
	return slices.SortedStableFunc(slices.Values(r.order), func(a, b string) int {
		x, y := r.rank(a), r.rank(b)
		return cmp.Compare(x, y)
	})
}

// rank returns a server's CPU as a multiple of the base's.
func (r *Result) rank(server string) float64 {
	i := r.Ratio(CPU, server, r.Cell.Match.Base)
	if i.Rounds == 0 {
		return math.Inf(1)
	}
	return 1 / i.Median
}

// Ratio estimates base's figure divided by the server's, over the rounds that have both.
func (r *Result) Ratio(f Figure, server, base string) measure.Interval {
	return measure.Estimate(r.Ratios(f.Of, base, server))
}

// Ratios returns a server's figure divided by another's, for each round that has both.
func (r *Result) Ratios(of func(*sample.Sample) float64, server, by string) (v []float64) {
	for i := range r.samples[server] {
		s := &r.samples[server][i]
		for j := range r.samples[by] {
			b := &r.samples[by][j]
			if s.Round == b.Round && of(s) > 0 && of(b) > 0 {
				v = append(v, of(s)/of(b))
			}
		}
	}
	return v
}

// Judge says whether a server is better than base.
func (r *Result) Judge(f Figure, server, base string) (measure.Interval, stats.Verdict) {
	i := r.Ratio(f, server, base)
	return i, stats.Judge(i, r.Noise(f))
}

// Values returns a server's figure in each round.
func (r *Result) Values(server string, of func(*sample.Sample) float64) (v []float64) {
	for i := range r.samples[server] {
		v = append(v, of(&r.samples[server][i]))
	}
	return v
}

// Median returns the median of a figure over the rounds, or NaN if there are none.
func (r *Result) Median(server string, of func(*sample.Sample) float64) float64 {
	return report.Quantile(r.Values(server, of), 0.5)
}

// Rounds returns the number of rounds in which a server was measured.
func (r *Result) Rounds(server string) int { return len(r.samples[server]) }

// Failed returns how often a server failed, and why the first time.
func (r *Result) Failed(server string) (n int, why string) {
	if n = len(r.failed[server]); n > 0 {
		why = r.failed[server][0].Failed
	}
	return n, why
}

// Winners returns the server that takes the least CPU, and those whose difference from it is not significant. The
// control does not count.
func (r *Result) Winners() []string {
	var won []string
	for _, s := range r.Servers() {
		if s == Control || r.Rounds(s) == 0 {
			continue
		}
		if len(won) == 0 {
			won = append(won, s)
			continue
		}
		if _, v := r.Judge(CPU, s, won[0]); v == stats.Same || v == stats.TooFew {
			won = append(won, s)
		}
	}
	return won
}

// Best returns the server of a family that takes the least CPU, other than those in but.
func (r *Result) Best(f Family, but ...string) (string, bool) {
	for _, s := range r.Servers() {
		if ByName(s).Family == f && r.Rounds(s) > 0 && !slices.Contains(but, s) {
			return s, true
		}
	}
	return "", false
}

// Loss is a figure by which a server of Ringo is worse than another server, beyond the noise.
type Loss struct {
	Result       *Result
	Figure       Figure
	Ours, Theirs string
	Ratio        measure.Interval
}

// Losses returns all losses, those of each cell together, the worst first. Latencies are compared in open loops only:
// at saturation, latency is the queue that the load generator keeps.
func Losses(results []*Result) []Loss {
	var all []Loss
	for _, r := range results {
		var here []Loss
		figures := []Figure{CPU}
		if r.Cell.Share > 0 {
			figures = append(figures, P50, P99)
		}
		for _, ours := range r.order {
			if ByName(ours).Family != Ringo {
				continue
			}
			for _, theirs := range r.order {
				if ByName(theirs).Family == Ringo || theirs == Control {
					continue
				}
				for _, f := range figures {
					if i, v := r.Judge(f, ours, theirs); v == stats.Worse {
						here = append(here, Loss{r, f, ours, theirs, i})
					}
				}
			}
		}
		slices.SortStableFunc(here, func(a, b Loss) int { return cmp.Compare(a.Ratio.Median, b.Ratio.Median) })
		all = append(all, here...)
	}
	return all
}

// Disturbed returns the number of samples during which other programs took more of a core than About.Quiet, and the
// number of those that failed.
func (r *Record) Disturbed() (disturbed, failed int) {
	for i := range r.Samples {
		switch s := &r.Samples[i]; {
		case !whole(s):
			failed++
		case s.OtherBusy > r.About.Quiet:
			disturbed++
		}
	}
	return disturbed, failed
}
