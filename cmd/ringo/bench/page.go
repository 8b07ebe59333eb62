package bench

import (
	_ "embed"
	"html/template"
	"io"
	"sync"
)

//go:embed page.html
var pageText string

// pageTemplate is parsed when a page is first written, so that the tool's other commands start without that.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"short":  func(f *Figure) string { return f.short() },
		"spread": func(f *Figure) string { return f.spread() },
		"ratio":  func(r *Ratio) string { return r.short() },
		"bar":    (*Cell).bar,
	}).Parse(pageText))
})

// page writes the report as one HTML page, which loads nothing else.
func (r *Report) page(w io.Writer) error {
	return pageTemplate().Execute(w, struct {
		*Report
		Host, Length string
	}{r, r.charges(), r.length()})
}

// A bar shows a row's CPU per unit and its interval, in percent of the highest value in the cell.
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
		most = 1 // all are 0, as far as the clock can tell
	}
	percent := func(v float64) float64 { return 100 * v / most }
	b := bar{"ringo", percent(row.CPU.Median), percent(row.CPU.Low), percent(row.CPU.High - row.CPU.Low)}
	if row.Name == rowNet || row.Name == rowOS {
		b.Class = "std"
	}
	return b
}
