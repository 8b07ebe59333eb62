package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// hostile is text that would be markup if it were not escaped.
const hostile = `<script>alert("1 & 2")</script>'`

// sampled is a report of a few rounds: net, the driver of auto at a fifth less, one that ties, one that failed.
func sampled() *Report {
	c := &Cell{Name: "tcp", Title: "TCP " + hostile, Unit: "request", Base: rowNet}
	for name, factor := range map[string]float64{rowNet: 1, "uring": 0.8, "epoll": 1} {
		row := &Row{Name: name, About: hostile, samples: map[int]Sample{}}
		for round := range 9 {
			noise := 1 + 0.1*math.Sin(float64(7*round))
			own := 1.0
			if name == "epoll" {
				own += 0.2 * math.Cos(float64(5*round))
			}
			row.samples[round] = Sample{Done: 1000, Seconds: 0.1 * noise * own, CPU: 6000 * noise * own * factor,
				P50: 200 * noise,
				P99: 400 * noise}
		}
		c.Rows = append(c.Rows, row)
	}
	slices.SortFunc(c.Rows, func(a, b *Row) int { return -strings.Compare(a.Name, b.Name) })
	slices.Reverse(c.Rows)
	c.Rows = append(c.Rows, &Row{Name: "poll", About: hostile, Failed: hostile})
	r := &Report{Ringo: "devel", Go: "go1.26", System: "Linux", CPU: hostile, CPUs: 2, Rounds: 9, Seconds: 10,
		Window: 0.15,
		Auto:   "uring", Mitigations: []string{hostile}, Cells: []*Cell{c}, Out: []string{hostile},
		Charges: Charges{Call: around(0.2), Wake: around(3)}}
	r.conclude()
	return r
}

func TestConclude(t *testing.T) {
	c := sampled().Cells[0]
	uring, epoll := c.row("uring"), c.row("epoll")
	if uring.CPU.Median < 4.5 || uring.CPU.Median > 5.1 || uring.CPU.Rounds != 9 {
		t.Errorf("uring takes %+v µs a request, want 4.8 and noise", uring.CPU)
	}
	if r := uring.Thrift; !r.Seen || math.Abs(r.Median-1.25) > 1e-9 || math.Abs(r.High-r.Low) > 1e-9 {
		t.Errorf("uring has %+v of net, want 1.25 without noise, since both share it", r)
	}
	if uring.Speed.Seen || uring.Auto != nil {
		t.Errorf("uring is as fast as net and has no ratio to itself: %+v, %+v", uring.Speed, uring.Auto)
	}
	if epoll.Thrift.Seen || epoll.Auto == nil || !epoll.Auto.Seen || epoll.Auto.Median > 0.9 {
		t.Errorf("epoll ties with net and loses to auto: %+v, %+v", epoll.Thrift, epoll.Auto)
	}
	if net := c.row(rowNet); net.Thrift != nil || net.Auto != nil {
		t.Errorf("net has ratios: %+v, %+v", net.Thrift, net.Auto)
	}
	// Rounds that only one of two has don't count for their ratio.
	delete(uring.samples, 3)
	delete(epoll.samples, 5)
	if r := epoll.beside(uring, thriftOf); r.Rounds != 7 {
		t.Errorf("a ratio of %d rounds, want 7", r.Rounds)
	}
	if r := uring.beside(&Row{}, thriftOf); r != nil {
		t.Errorf("a ratio to what was not measured: %+v", r)
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := sampled().text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a system call 0.20 µs, a wake of a sleeping loop 3.00", "no difference seen", "1.25",
		"9 rounds of windows of 150 ms", "\nadvice\n  driver: Leave Config.Driver alone: auto takes uring."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// The names and kinds of what -json writes, which programs rely on.
func TestJSONShape(t *testing.T) {
	text, err := json.Marshal(sampled())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	shape := map[string]string{}
	shapeOf("", v, shape)
	figure := func(name string) []string {
		return []string{name + ".median number", name + ".low number", name + ".high number", name + ".rounds number"}
	}
	want := []string{"ringo string", "go string", "system string", "cpu string", "cpus number", "mitigations[] string",
		"seconds number", "rounds number", "window number", "stopped bool", "others number", "auto string",
		"out[] string",
		"cells[].name string", "cells[].title string", "cells[].unit string", "cells[].base string",
		"cells[].rows[].name string", "cells[].rows[].about string", "cells[].rows[].failed string",
		"advice[].topic string", "advice[].advice string", "advice[].reason string"}
	want = append(want, figure("charges.call_us")...)
	want = append(want, figure("charges.wake_us")...)
	for _, name := range []string{"cpu_us", "per_second", "p50_us", "p99_us"} {
		want = append(want, figure("cells[].rows[]."+name)...)
	}
	for _, name := range []string{"thrift", "speed", "delay", "auto"} {
		want = append(append(want, figure("cells[].rows[]."+name)...), "cells[].rows[]."+name+".seen bool")
	}
	var got []string
	for name, kind := range maps.All(shape) {
		got = append(got, name+" "+kind)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("JSON has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func shapeOf(name string, v any, shape map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			shapeOf(strings.TrimPrefix(name+"."+key, "."), value, shape)
		}
	case []any:
		for _, value := range v {
			shapeOf(name+"[]", value, shape)
		}
	case string:
		shape[name] = "string"
	case float64:
		shape[name] = "number"
	case bool:
		shape[name] = "bool"
	default:
		shape[name] = fmt.Sprintf("%T", v)
	}
}

// The page is well-formed, needs nothing from elsewhere, and has a table with a row for each way and a bar in it.
func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := sampled().page(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, bad := range []string{"<script", "http://", "https://", "src=", "href=", "url(", "@import", "NaN", "Inf",
		"ZgotmplZ", "%!", "<nil>"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(text, "&lt;script&gt;"); n < 5 { // CPU, title, about, failure, mitigation, what is left out
		t.Errorf("text is shown %d times as it is, want more", n)
	}
	if !strings.Contains(text, "prefers-color-scheme: dark") || !strings.Contains(text, `content="light dark"`) {
		t.Error("the page is not for dark and light")
	}
	d := xml.NewDecoder(&b)
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	count := map[string]int{}
	var open []string
	var shown strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			count[e.Name.Local]++
			open = append(open, e.Name.Local)
		case xml.EndElement:
			if open[len(open)-1] != e.Name.Local {
				t.Fatalf("%s ends inside %v", e.Name.Local, open)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			shown.Write(e)
		}
	}
	if len(open) > 0 {
		t.Errorf("%v is never closed", open)
	}
	for name, want := range map[string]int{"span": 3, "i": 3, "tr": 5, "h1": 1, "h2": 3, "dt": 2, "table": 1} {
		if count[name] != want {
			t.Errorf("%d elements %s, want %d", count[name], name, want)
		}
	}
	if !strings.Contains(shown.String(), hostile) || !strings.Contains(shown.String(), "no difference seen") {
		t.Errorf("the page shows %s", shown.String())
	}
}

// The bars of a cell lie in their box, whatever the figures are.
func TestBars(t *testing.T) {
	for _, most := range []float64{0, 0.003, 1, 9.99, 1e6} {
		c := &Cell{Rows: []*Row{{Name: "os", CPU: &Figure{most / 2, most / 3, most, 9}}, {Name: "none"}}}
		b := c.bar(c.Rows[0])
		if b.Class != "std" || b.Low > b.Width || b.Low+b.Span < b.Width || b.Low+b.Span > 100+1e-9 {
			t.Errorf("of figures up to %v the bar is %+v", most, b)
		}
	}
}
