package page

import (
	"fmt"
	"slices"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/stats"
	"ringo/internal/measure"
)

// lossView is a server of Ringo under a load, with the servers that are better by one figure.
type lossView struct {
	Load, Ours, Figure string
	By                 []string
}

// lossViews returns the losses to Go's libraries and to programs, and the losses to tuned C. The latter are of Ringo's
// best server only: C is the yardstick, and most servers are behind it in most cells.
func lossViews(results []*contest.Result) (others, c []lossView) {
	for _, l := range contest.Losses(results) {
		to := &others
		if contest.ByName(l.Theirs).Family == contest.C {
			best, ok := l.Result.Best(contest.Ringo)
			if !ok || best != l.Ours {
				continue
			}
			to = &c
		}
		v := lossView{Load: loadTitle(&l.Result.Cell), Ours: contest.ByName(l.Ours).Title, Figure: l.Figure.Name}
		i := slices.IndexFunc(*to, func(o lossView) bool {
			return o.Load == v.Load && o.Ours == v.Ours && o.Figure == v.Figure
		})
		if i < 0 {
			i = len(*to)
			*to = append(*to, v)
		}
		(*to)[i].By = append((*to)[i].By, excess(l.Ratio, contest.ByName(l.Theirs).Title))
	}
	return others, c
}

// excess says in words how much higher a figure is than another server's.
func excess(i measure.Interval, whose string) string {
	if i.Median < 0.5 {
		return fmt.Sprintf("%s times that of %s (%s – %s)", number(1/i.Median), whose, number(1/i.High),
			number(1/i.Low))
	}
	more := func(ratio float64) float64 { return 100 * (1/ratio - 1) }
	return fmt.Sprintf("%.0f %% more than %s (%.0f – %.0f)", more(i.Median), whose, more(i.High), more(i.Low))
}

func loadTitle(c *contest.Cell) string {
	if c.Share > 0 {
		return "open loop, " + units(c.Title)
	}
	return units(c.Title)
}

// tally says how often, in the closed cells, Ringo's server of the match is better than the best of some families.
type tally struct{ Title, Text string }

func tallies(results []*contest.Result) (all []tally) {
	for _, o := range opponents {
		var better, worse, same, few, cells int
		for _, r := range results {
			theirs, ok := bestOf(r, o.families)
			if !ok || r.Cell.Share > 0 || r.Rounds(r.Cell.Match.Ours) == 0 {
				continue
			}
			cells++
			switch _, v := r.Judge(contest.CPU, r.Cell.Match.Ours, theirs); v {
			case stats.Better:
				better++
			case stats.Worse:
				worse++
			case stats.TooFew:
				few++
			default:
				same++
			}
		}
		if cells == 0 {
			continue
		}
		text := fmt.Sprintf("less CPU under %d of %d loads, more under %d", better, cells, worse)
		if same > 0 {
			text += fmt.Sprintf(", no difference seen under %d", same)
		}
		if few > 0 {
			text += fmt.Sprintf(", too few rounds for %d", few)
		}
		all = append(all, tally{o.title, text})
	}
	return all
}
