package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"short":  func(f *Figure) string { return f.short() },
	"spread": func(f *Figure) string { return f.spread() },
	"ratio":  func(r *Ratio) string { return r.short() },
}).Parse(pageText))

// page writes the report as one page that needs nothing else.
func (r *Report) page(w io.Writer) error {
	type view struct {
		*Cell
		Chart *chart
	}
	data := struct {
		*Report
		Host, Length string
		Views        []view
	}{Report: r, Host: r.charges(), Length: r.length()}
	for _, c := range r.Cells {
		data.Views = append(data.Views, view{c, c.chart()})
	}
	return pageTemplate.Execute(w, data)
}

// A chart is a cell's CPU for each unit as bars, with their intervals, in the units of an SVG's view box.
type chart struct {
	Title         string
	Width, Height float64
	Bars          []bar
	Ticks         []tick
}

type bar struct {
	Name, Label, Class string
	Y, Text            float64 // upper edge, line of the text
	Width, Low, High   float64
	LabelX             float64
}

type tick struct {
	X     float64
	Label string
}

const (
	chartLeft  = 110.0 // for the names
	chartRight = 70.0  // for the figures
	chartWidth = 640.0
	barStep    = 30.0
	barHeight  = 18.0
)

// chart is nil for a cell without figures.
func (c *Cell) chart() *chart {
	most := 0.0
	for _, row := range c.Rows {
		if row.CPU != nil {
			most = max(most, row.CPU.High)
		}
	}
	if most <= 0 {
		return nil
	}
	step := tickStep(most)
	scale := (chartWidth - chartLeft - chartRight) / (math.Ceil(most/step) * step)
	x := func(v float64) float64 { return chartLeft + v*scale }
	out := &chart{Title: "CPU µs a " + c.Unit + ", less is better", Width: chartWidth}
	for _, row := range c.Rows {
		if row.CPU == nil {
			continue
		}
		class := "ringo"
		if row.Name == rowNet || row.Name == rowOS {
			class = "std"
		}
		y := float64(len(out.Bars)) * barStep
		out.Bars = append(out.Bars, bar{Name: row.Name, Label: row.CPU.short(), Class: class, Y: y, Text: y + 13.5,
			Width: row.CPU.Median * scale, Low: x(row.CPU.Low), High: x(row.CPU.High), LabelX: x(row.CPU.High) + 6})
	}
	for v := 0.0; v <= most+step/2 && x(v) <= chartWidth-chartRight+1; v += step {
		out.Ticks = append(out.Ticks, tick{x(v), fmt.Sprintf("%.4g", v)})
	}
	out.Height = float64(len(out.Bars))*barStep + 18
	return out
}

// tickStep is 1, 2 or 5 times a power of ten, so that there are a few.
func tickStep(most float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{0.1, 0.2, 0.5, 1} {
		if most/(unit*f) <= 8 {
			return unit * f
		}
	}
	return 2 * unit
}

// Left, Bottom and Middle are for the template, which can't compute.
func (c *chart) Left() float64   { return chartLeft }
func (c *chart) Bottom() float64 { return c.Height - 16 }
func (b bar) Height() float64    { return barHeight }
func (b bar) Middle() float64    { return b.Y + barHeight/2 }
func (b bar) Upper() float64     { return b.Middle() - 4 }
func (b bar) Lower() float64     { return b.Middle() + 4 }
func (c *chart) NameX() float64  { return chartLeft - 8 }
func (c *chart) TickY() float64  { return c.Height - 3 }
func (c *chart) View() string    { return fmt.Sprintf("0 0 %g %g", c.Width, c.Height) }
func (c *chart) Alt() (text string) { // for those who can't see it
	text = c.Title + ":"
	for _, b := range c.Bars {
		text += " " + b.Name + " " + b.Label + ";"
	}
	return text
}
