package page

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/sample"
	"ringo/bench/internal/stats"
	"ringo/internal/measure"
)

// row is a line of a chart: a name, a mark with its interval, and text.
type row struct {
	Name   string
	Note   string // beside the name
	Family string // a class of the style sheet
	Mark   string // the outline of its mark
	Hollow bool   // no difference is claimed
	None   bool   // there is nothing to show
	At     float64
	Low    float64
	High   float64
	Line   bool // Low and High are shown
	Value  string
	Detail string
}

// chart is rows on a common axis.
type chart struct {
	Title string
	Note  string
	Rows  []row
	Ticks []tick
	One   float64 // position of the base; less than 0: not shown
}

// looks are the families' classes and marks. The marks also differ in shape.
var looks = map[contest.Family][2]string{
	contest.Std:     {"std", "M-1.5-7h3v14h-3z"},
	contest.Ringo:   {"ringo", "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z"},
	contest.Library: {"library", "M0-6L6 4.5H-6z"},
	contest.C:       {"c", "M-4.7-4.7h9.4v9.4h-9.4z"},
	contest.Program: {"program", "M0-6.5L6.5 0L0 6.5L-6.5 0z"},
}

func newRow(server string) row {
	s := contest.ByName(server)
	look := looks[s.Family]
	return row{Name: s.Title, Family: look[0], Mark: look[1]}
}

// ratioRow makes a row that shows a ratio.
func ratioRow(r row, i measure.Interval, v stats.Verdict, s scale) row {
	if i.Rounds == 0 {
		r.None, r.Value = true, "–"
		return r
	}
	r.At, r.Low, r.High, r.Line = s.at(i.Median), s.at(i.Low), s.at(i.High), true
	r.Hollow = v == stats.Same || v == stats.TooFew
	r.Value = number(i.Median) + "×"
	r.Detail = number(i.Low) + " – " + number(i.High)
	if r.Hollow {
		r.Note = v.String()
	}
	return r
}

// number formats a value with two decimals, or one from 10 on.
func number(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// baseRow makes the row of the server that the others are compared with.
func baseRow(r row, s scale) row {
	r.At, r.Value, r.Detail = s.at(1), "1", "the base"
	return r
}

// opponents are the groups that the summary compares Ringo with.
var opponents = []struct {
	title    string
	families []contest.Family
}{
	{"Go's standard library", []contest.Family{contest.Std}},
	{"the best other Go library", []contest.Family{contest.Library}},
	{"the best in C", []contest.Family{contest.C, contest.Program}},
}

// glance compares Ringo's server of each cell's match with the best of its opponents, in a chart for each group of
// opponents.
func glance(results []*contest.Result) (charts []chart) {
	type entry struct {
		row row
		i   measure.Interval
		v   stats.Verdict
	}
	for _, o := range opponents {
		var entries []entry
		var all []measure.Interval
		for _, r := range results {
			ours := r.Cell.Match.Ours
			theirs, ok := bestOf(r, o.families)
			if !ok || r.Cell.Share > 0 || r.Rounds(ours) == 0 {
				continue
			}
			i, v := r.Judge(contest.CPU, ours, theirs)
			e := entry{newRow(ours), i, v}
			e.row.Name, e.row.Note = units(r.Cell.Title), contest.ByName(theirs).Title
			entries, all = append(entries, e), append(all, i)
		}
		if len(entries) == 0 {
			continue
		}
		s := scaleOf(all, 1)
		c := chart{Title: o.title, Ticks: s.ticks(ratioTicks, ratioText), One: s.at(1)}
		for _, e := range entries {
			r := ratioRow(e.row, e.i, e.v, s)
			r.Note = e.row.Note
			if r.Hollow {
				r.Note += ": " + e.v.String()
			}
			c.Rows = append(c.Rows, r)
		}
		charts = append(charts, c)
	}
	return charts
}

// units keeps a number and its unit on one line.
func units(text string) string {
	return strings.NewReplacer(" B", "\u00a0B", " KiB", "\u00a0KiB", " %", "\u00a0%").Replace(text)
}

// bestOf returns the server of some families that takes the least CPU.
func bestOf(r *contest.Result, families []contest.Family) (string, bool) {
	for _, s := range r.Servers() {
		if slices.Contains(families, contest.ByName(s).Family) && s != contest.Control && r.Rounds(s) > 0 {
			return s, true
		}
	}
	return "", false
}

// cellView is a cell with all its figures.
type cellView struct {
	Name, Title string
	Chart       chart
	Winners     string
	Noise       string
	Without     string
	Note        string
	Table       [][]string
	Failed      []string
}

func closedCells(results []*contest.Result) (views []cellView) {
	scales := map[contest.Kind]scale{}
	for _, r := range results {
		var all []measure.Interval
		for _, other := range results {
			if other.Cell.Kind == r.Cell.Kind {
				for _, s := range other.Servers() {
					all = append(all, other.Ratio(contest.CPU, s, other.Cell.Match.Base))
				}
			}
		}
		scales[r.Cell.Kind] = scaleOf(all, 1)
	}
	for _, r := range results {
		if r.Cell.Share == 0 {
			views = append(views, closedCell(r, scales[r.Cell.Kind]))
		}
	}
	return views
}

func closedCell(r *contest.Result, s scale) cellView {
	base := r.Cell.Match.Base
	v := cellView{Name: r.Cell.Name(), Title: units(r.Cell.Title), Noise: noise(r, contest.CPU),
		Without: r.Cell.Without, Note: r.Cell.Note,
		Chart: chart{Ticks: s.ticks(ratioTicks, ratioText), One: s.at(1)}}
	for _, server := range r.Servers() {
		line := newRow(server)
		if server == base {
			line = baseRow(line, s)
		} else {
			i, verdict := r.Judge(contest.CPU, server, base)
			line = ratioRow(line, i, verdict, s)
		}
		v.Chart.Rows = append(v.Chart.Rows, line)
	}
	v.Winners = winners(r)
	v.Table, v.Failed = table(r), failures(r)
	return v
}

// winners names the servers that take the least CPU.
func winners(r *contest.Result) string {
	won := r.Winners()
	if len(won) == 0 {
		return ""
	}
	var also []string
	for _, s := range won[1:] {
		also = append(also, contest.ByName(s).Title)
	}
	text := "Least CPU: " + contest.ByName(won[0]).Title
	if len(also) > 0 {
		text += "; not told from it: " + strings.Join(also, "; ")
	}
	return text + "."
}

// noise returns the difference from which on differences count.
func noise(r *contest.Result, f contest.Figure) string {
	return fmt.Sprintf("%.1f %%", 100*r.Noise(f))
}

// table has the absolute figures.
func table(r *contest.Result) [][]string {
	rows := [][]string{{"server", "rounds", "CPU µs", "req/s", "p50", "p99"}}
	for _, s := range r.Servers() {
		rows = append(rows, []string{contest.ByName(s).Title, fmt.Sprint(r.Rounds(s)),
			plain(r.Median(s, contest.CPU.Of)),
			thousands(r.Median(s, contest.PerSecond)), timeText(r.Median(s, contest.P50.Of)),
			timeText(r.Median(s, contest.P99.Of))})
	}
	return rows
}

func plain(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.3g", v)
}

func thousands(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	}
	return fmt.Sprintf("%.1f k", v/1e3)
}

func failures(r *contest.Result) (lines []string) {
	for _, s := range r.Servers() {
		if n, why := r.Failed(s); n > 0 {
			lines = append(lines, fmt.Sprintf("%s failed in %d of %d rounds: %s", contest.ByName(s).Title, n,
				n+r.Rounds(s), why))
		}
	}
	return lines
}

// openCells returns the latencies in open loops: p50 and p99 of each server, on one axis for all.
func openCells(results []*contest.Result) (views []cellView) {
	var all []measure.Interval
	least := math.Inf(1)
	for _, r := range results {
		for _, s := range r.Servers() {
			p50, p99 := r.Median(s, contest.P50.Of), r.Median(s, contest.P99.Of)
			if r.Cell.Share > 0 && p50 > 0 {
				all = append(all, measure.Estimate([]float64{p50}), measure.Estimate([]float64{p99}))
				least = min(least, p50)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	s := scaleOf(all, least)
	for _, r := range results {
		if r.Cell.Share > 0 {
			views = append(views, openCell(r, s))
		}
	}
	return views
}

// byNumber compares numbers, with NaN last.
func byNumber(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b), a == b:
		return 0
	case math.IsNaN(b), a < b:
		return -1
	}
	return 1
}

// keepsUp is the share of the rate that a server has to answer to keep up.
const keepsUp = 0.97

func openCell(r *contest.Result, s scale) cellView {
	rate := r.Median(r.Cell.Match.Base, func(s *sample.Sample) float64 { return s.Rate })
	late := math.NaN()
	v := cellView{Name: r.Cell.Name(), Noise: noise(r, contest.P99), Chart: chart{Ticks: s.ticks(timeTicks, timeText),
		One: -1}}
	servers := slices.DeleteFunc(r.Servers(), func(s string) bool { return s == contest.Control })
	slices.SortStableFunc(servers, func(a, b string) int {
		return byNumber(r.Median(a, contest.P99.Of), r.Median(b, contest.P99.Of))
	})
	for _, server := range servers {
		line := newRow(server)
		p50, p99 := r.Median(server, contest.P50.Of), r.Median(server, contest.P99.Of)
		if math.IsNaN(p99) {
			line.None, line.Value = true, "–"
			v.Chart.Rows = append(v.Chart.Rows, line)
			continue
		}
		line.Low, line.High, line.At, line.Line = s.at(p50), s.at(p99), s.at(p99), true
		line.Value, line.Detail = timeText(p99), "p50 "+timeText(p50)
		if server != r.Cell.Match.Base {
			i, verdict := r.Judge(contest.P99, server, r.Cell.Match.Base)
			line.Note = fmt.Sprintf("%s× better (%s – %s)", number(i.Median), number(i.Low), number(i.High))
			if line.Hollow = verdict == stats.Same || verdict == stats.TooFew; line.Hollow {
				line.Note = verdict.String()
			} else if verdict == stats.Worse {
				line.Note = fmt.Sprintf("%s× worse (%s – %s)", number(1/i.Median), number(1/i.High), number(1/i.Low))
			}
		}
		if share := r.Median(server, contest.PerSecond) / rate; share < keepsUp {
			line.Note = fmt.Sprintf("answered only %.0f %% of the rate", 100*share)
		}
		if l := r.Median(server, func(s *sample.Sample) float64 { return s.LateP99 }); !(l <= late) {
			late = l
		}
		cpu := plain(r.Median(server, contest.CPU.Of)) + " µs of CPU"
		line.Note = strings.TrimSuffix(cpu+"; "+line.Note, "; ")
		v.Chart.Rows = append(v.Chart.Rows, line)
	}
	v.Title = fmt.Sprintf("%s: %s requests a second", units(r.Cell.Title), thousands(rate))
	v.Winners = fmt.Sprintf("The load generator itself sent 99 %% of the requests no later than %s after they were "+
		"due; that is in all latencies.", timeText(late))
	v.Table, v.Failed = table(r), failures(r)
	return v
}
