package bench

import (
	_ "embed"
	"html/template"
	"io"
	"sync"
)

//go:embed page.html
var pageText string

// pageTemplate is parsed when a page is asked for: the tool's other commands start without it.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"short":  func(f *Figure) string { return f.short() },
		"spread": func(f *Figure) string { return f.spread() },
		"ratio":  func(r *Ratio) string { return r.short() },
		"bar":    (*Cell).bar,
	}).Parse(pageText))
})

// page writes the report as one page that needs nothing else.
func (r *Report) page(w io.Writer) error {
	return pageTemplate().Execute(w, struct {
		*Report
		Host, Length string
	}{r, r.charges(), r.length()})
}

// A bar is a row's CPU for each unit, and its interval, in percent of the most that the cell has.
type bar struct {
	Class            string
	Width, Low, Span float64
}

func (c *Cell) bar(row *Row) bar {
	most := 0.0
	for _, r := range c.Rows {
		if r.CPU != nil {
			most = max(most, r.CPU.High)
		}
	}
	if most == 0 {
		most = 1 // nothing was used, as far as the clock tells
	}
	percent := func(v float64) float64 { return 100 * v / most }
	b := bar{"ringo", percent(row.CPU.Median), percent(row.CPU.Low), percent(row.CPU.High - row.CPU.Low)}
	if row.Name == rowNet || row.Name == rowOS {
		b.Class = "std"
	}
	return b
}
