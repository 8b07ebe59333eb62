package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

const samples = `{"round":1,"cell":"crowd:1x64","server":"a","mode":"crowd","conns":1,"cpu_us":20}
{"round":2,"cell":"crowd:1x64","server":"a","mode":"crowd","conns":1,"cpu_us":10}
{"round":3,"cell":"crowd:1x64","server":"a","mode":"crowd","conns":1,"cpu_us":12}
{"round":1,"cell":"crowd:1000x64","server":"a","mode":"crowd","conns":1000,"cpu_us":400}
{"round":1,"cell":"crowd:1x64","server":"b","mode":"crowd","conns":1,"cpu_us":11}
{"round":1,"cell":"crowd:1000x64","server":"b","failed":"too many"}
`

func TestCurves(t *testing.T) {
	all, err := curves(strings.NewReader(samples))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || len(all[0].points) != 2 || len(all[1].points) != 1 {
		t.Fatalf("%+v", all)
	}
	if p := all[0].points; p[0] != (point{1, 12}) || p[1] != (point{1000, 400}) {
		t.Errorf("%+v", p)
	}
}

func TestPlot(t *testing.T) {
	var b strings.Builder
	if err := plot(strings.NewReader(samples), &b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	counts := map[string]int{}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		if e, ok := tok.(xml.StartElement); ok {
			counts[e.Name.Local]++
			at := map[string]float64{}
			for _, a := range e.Attr {
				at[a.Name.Local], _ = strconv.ParseFloat(a.Value, 64)
				if strings.ContainsAny(a.Value, "%!") || strings.Contains(a.Value, "NaN") {
					t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
			if long := math.Abs(at["x2"]-at["x1"]) + math.Abs(at["y2"]-at["y1"]); e.Name.Local == "line" && long < 300 {
				t.Errorf("a line of the grid is %.0f pixels long", long)
			}
		}
	}
	if counts["polyline"] != 2 || counts["circle"] != 3 {
		t.Errorf("%v", counts)
	}
	if strings.Contains(b.String(), "%!") {
		t.Error(b.String())
	}
}

func TestNoSamples(t *testing.T) {
	if err := plot(strings.NewReader(""), io.Discard); err == nil {
		t.Error("nothing is drawn without an error")
	}
}
