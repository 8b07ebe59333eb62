// Plot reads samples, a line of JSON each, and draws server CPU per request over the number of connections: a line for
// each server, medians over the rounds, both axes logarithmic, as SVG.
//
//	plot samples.jsonl > curves.svg
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"ringo/bench/internal/sample"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plot samples.jsonl > curves.svg")
		os.Exit(2)
	}
	f, err := os.Open(os.Args[1])
	if err == nil {
		defer f.Close()
		err = plot(f, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// curve is one server's line.
type curve struct {
	name   string
	points []point
}

type point struct {
	conns int
	cpu   float64 // µs a request
}

// curves takes the medians out of samples, servers in order of first appearance.
func curves(r io.Reader) ([]curve, error) {
	type key struct {
		server string
		conns  int
	}
	values := map[key][]float64{}
	var servers []string
	d := json.NewDecoder(r)
	for {
		var s sample.Sample
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if s.Failed != "" {
			continue // a server that can't have so many has no point there
		}
		if !slices.Contains(servers, s.Server) {
			servers = append(servers, s.Server)
		}
		k := key{s.Server, s.Conns}
		values[k] = append(values[k], s.CPUMicros)
	}
	var all []curve
	for _, name := range servers {
		c := curve{name: name}
		for k, v := range values {
			if k.server == name {
				c.points = append(c.points, point{k.conns, median(v)})
			}
		}
		slices.SortFunc(c.points, func(a, b point) int { return a.conns - b.conns })
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no samples")
	}
	return all, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// The drawing's measures, in pixels.
const (
	width, height            = 860, 460
	left, right, top, bottom = 64, 190, 24, 52
)

var colours = []string{"#1b6ca8", "#c0392b", "#1e8449", "#b9770e", "#6c3483", "#555555", "#148f77"}

func plot(r io.Reader, w io.Writer) error {
	all, err := curves(r)
	if err != nil {
		return err
	}
	x, y := axes(all)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d"`+
		` font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	const vertical = `<line x1="%.1[1]f" y1="%[2]d" x2="%.1[1]f" y2="%[3]d" stroke="#ddd"/>` +
		`<text x="%.1[1]f" y="%[4]d" text-anchor="middle">%[5]g</text>` + "\n"
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, vertical, x.at(v), top, height-bottom, height-bottom+18, v)
	}
	const horizontal = `<line x1="%[1]d" y1="%.1[2]f" x2="%[3]d" y2="%.1[2]f" stroke="#ddd"/>` +
		`<text x="%[4]d" y="%.1[5]f" text-anchor="end">%[6]g</text>` + "\n"
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, horizontal, left, y.at(v), width-right, left-8, y.at(v)+4, v)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">connections, ten of which are active</text>`+"\n",
		(left+width-right)/2, height-12)
	fmt.Fprintf(&b, `<text x="16" y="%d" text-anchor="middle" transform="rotate(-90 16 %[1]d)">`+
		`server CPU, µs a request</text>`+"\n", (top+height-bottom)/2)
	labels := labelPlaces(all, y)
	for i, c := range all {
		colour := colours[i%len(colours)]
		var path []string
		for _, p := range c.points {
			px, py := x.at(float64(p.conns)), y.at(p.cpu)
			path = append(path, fmt.Sprintf("%.1f,%.1f", px, py))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s">`+
				`<title>%s, %d connections: %.2f µs</title></circle>`+"\n", px, py, colour, c.name, p.conns, p.cpu)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n",
			strings.Join(path, " "), colour)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="%s">%s</text>`+"\n", width-right+10, labels[i], colour, c.name)
	}
	b.WriteString("</svg>\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// axis maps values to pixels, logarithmically.
type axis struct{ min, max, from, to float64 }

func (a axis) at(v float64) float64 {
	return a.from + (a.to-a.from)*math.Log(v/a.min)/math.Log(a.max/a.min)
}

// ticks are the powers of ten in the range, with 2 and 5 between if there are few.
func (a axis) ticks() (ticks []float64) {
	steps := []float64{1}
	if a.max/a.min < 1000 {
		steps = []float64{1, 2, 5}
	}
	for decade := math.Pow(10, math.Floor(math.Log10(a.min))); decade <= a.max; decade *= 10 {
		for _, s := range steps {
			if v := s * decade; v >= a.min*0.999 && v <= a.max*1.001 {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

func axes(all []curve) (x, y axis) {
	x = axis{math.Inf(1), 0, left, width - right}
	y = axis{math.Inf(1), 0, height - bottom, top}
	for _, c := range all {
		for _, p := range c.points {
			x.min, x.max = min(x.min, float64(p.conns)), max(x.max, float64(p.conns))
			y.min, y.max = min(y.min, p.cpu), max(y.max, p.cpu)
		}
	}
	y.min, y.max = y.min/1.2, y.max*1.2
	x.max = max(x.max, 1.1*x.min)
	return x, y
}

// labelPlaces puts each name beside the end of its line, and apart from the others.
func labelPlaces(all []curve, y axis) []float64 {
	order := make([]int, len(all))
	places := make([]float64, len(all))
	for i, c := range all {
		order[i] = i
		places[i] = y.at(c.points[len(c.points)-1].cpu) + 4
	}
	slices.SortFunc(order, func(a, b int) int { return int(places[a] - places[b]) })
	for k := 1; k < len(order); k++ {
		places[order[k]] = max(places[order[k]], places[order[k-1]]+15)
	}
	return places
}
