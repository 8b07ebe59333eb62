package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/host"
	"ringo/internal/measure"
)

//go:embed page.html
var source string

//go:embed page.css
var style string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"looks": func() []legend { return legends },
}).Parse(source))

// legend is a family with its mark.
type legend struct{ Class, Mark, Text string }

var legends = func() (all []legend) {
	for _, f := range []contest.Family{contest.Ringo, contest.Std, contest.Library, contest.C, contest.Program} {
		all = append(all, legend{looks[f][0], looks[f][1], f.String()})
	}
	return all
}()

// view is the content of the page.
type view struct {
	Style       template.CSS
	About       contest.About
	Date        string
	Warnings    []string
	Tallies     []tally
	Glance      []chart
	Losses      []lossView
	LossesToC   []lossView
	Cells, Open []cellView
	Charges     [][]string
	Facts       [][]string
	Mitigations [][]string
	Left        [][]string
	Samples     int
	Failed      int
	Disturbed   int
	Level       float64
	RoundsMin   int
	Quiet       string
	Minutes     string
}

// Write writes the page of a record.
func Write(w io.Writer, rec *contest.Record) error {
	results := rec.Results()
	v := &view{Style: template.CSS(style), About: rec.About,
		Date:     rec.About.Begin.UTC().Format("2 January 2006, 15:04 UTC"),
		Warnings: warnings(rec), Tallies: tallies(results), Glance: glance(results), Cells: closedCells(results),
		Open: openCells(results), Charges: charges(rec), Facts: facts(rec), Samples: len(rec.Samples),
		Level: 100 * measure.Level, RoundsMin: measure.RoundsMin, Quiet: fmt.Sprintf("%.0f %%", 100*rec.About.Quiet),
		Minutes: fmt.Sprintf("%.1f", rec.End.Minutes)}
	v.Losses, v.LossesToC = lossViews(results)
	v.Disturbed, v.Failed = rec.Disturbed()
	for _, flaw := range slices.Sorted(maps.Keys(rec.About.Host.Mitigations)) {
		v.Mitigations = append(v.Mitigations, []string{flaw, rec.About.Host.Mitigations[flaw]})
	}
	for _, l := range rec.About.LeftOut {
		v.Left = append(v.Left, []string{contest.ByName(l.Server).Title, l.Why})
	}
	return pageTemplate.Execute(w, v)
}

// warnings returns what a reader has to know before any figure.
func warnings(rec *contest.Record) (all []string) {
	if rec.About.Quick {
		all = append(all, "This is a quick run: fewer loads, servers and rounds than a full one.")
	}
	if rec.About.Rounds < measure.RoundsMin {
		all = append(all, fmt.Sprintf("%d rounds conclude nothing: it takes %d.", rec.About.Rounds, measure.RoundsMin))
	}
	switch {
	case rec.End.Interrupted:
		all = append(all, "The run was interrupted. What follows is of the rounds until then.")
	case rec.End.Minutes == 0:
		all = append(all, "The run has no end: it was killed, or goes on. What follows is of the rounds so far.")
	}
	disturbed, failed := rec.Disturbed()
	if n := len(rec.Samples); disturbed*10 > n {
		all = append(all, fmt.Sprintf("The machine was not quiet: during %d of %d measurements other programs took "+
			"more than %.0f %% of a core. Absolute figures are too high, latencies most of all; ratios suffer less, "+
			"as they are of neighbours in time.", disturbed, n, 100*rec.About.Quiet))
	}
	if failed > 0 {
		all = append(all, fmt.Sprintf("%d of %d measurements failed; they are listed below their loads.", failed,
			len(rec.Samples)))
	}
	return all
}

// charges returns the rows of the host's charges, before and after the run.
func charges(rec *contest.Record) (rows [][]string) {
	for _, c := range host.ChargeNames {
		if rec.About.Charges[c.Name] == 0 {
			continue
		}
		after := "–"
		if ns := rec.End.Charges[c.Name]; ns > 0 {
			after = nanoseconds(ns)
		}
		rows = append(rows, []string{c.Title, nanoseconds(rec.About.Charges[c.Name]), after})
	}
	return rows
}

func nanoseconds(ns float64) string {
	if ns >= 1000 {
		return fmt.Sprintf("%.3g µs", ns/1000)
	}
	return fmt.Sprintf("%.0f ns", ns)
}

// facts returns what is known of the machine and of the programs on it.
func facts(rec *contest.Record) [][]string {
	h := rec.About.Host
	where := "bare metal, as far as the CPU tells"
	if h.Hypervisor {
		where = "a virtual machine"
	}
	rows := [][]string{
		{"CPU", fmt.Sprintf("%d × %s, %s", h.CPUs, h.CPU, where)},
		{"Memory", fmt.Sprintf("%.0f GiB", h.MemoryGiB)},
		{"Kernel", "Linux " + h.Kernel},
		{"Ringo", rec.About.Commit},
	}
	for _, name := range slices.SortedFunc(maps.Keys(h.Versions), func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	}) {
		rows = append(rows, []string{name, h.Versions[name]})
	}
	return rows
}
