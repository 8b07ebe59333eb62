package main

import (
	"math"
	"strings"
	"testing"

	"ringo/bench/internal/sample"
)

func TestMedian(t *testing.T) {
	cases := []struct {
		in   []float64
		want float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	}
	for _, c := range cases {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v, want NaN", got)
	}
}

const lines = `{"round":1,"cell":"50x64","server":"c","cpu_us":4,"req_s":100}
{"round":1,"cell":"50x64","server":"ours","cpu_us":5,"req_s":90}
{"round":2,"cell":"50x64","server":"c","cpu_us":8,"req_s":50}
{"round":2,"cell":"50x64","server":"ours","cpu_us":8,"req_s":60}
{"round":3,"cell":"50x64","server":"c","cpu_us":6,"req_s":70}
{"round":3,"cell":"50x64","server":"ours","failed":"did not start"}
{"round":4,"cell":"50x64","server":"ours","cpu_us":1,"req_s":80,"errors":2}
{"round":1,"cell":"9x9","server":"ours","cpu_us":2}
`

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	samples, err := read(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	cells := group(samples)
	if len(cells) != 2 || cells[0].name != "50x64" || cells[1].name != "9x9" {
		t.Fatalf("cells %v, want 50x64 and 9x9", cells)
	}
	// Round 1 gives 0.8, round 2 gives 1; rounds 3 and 4 lack one side.
	if got, want := cells[0].ratio("ours", "c"), 0.9; got != want {
		t.Errorf("ratio = %v, want %v", got, want)
	}
	if got := cells[1].ratio("ours", "c"); !math.IsNaN(got) {
		t.Errorf("ratio without a base = %v, want NaN", got)
	}
}

func TestMarkdown(t *testing.T) {
	samples, err := read(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	got := formatMarkdown(group(samples)[:1], []string{"c"})
	const want = `50x64

| server | cpu us | spread | x c | req/s | p50 us | p99 us | p99.9 us |
| --- | --- | --- | --- | --- | --- | --- | --- |
| c | 6.000 | 67% | 1.000 | 70 | 0 | 0 | 0 |
| ours | 5.000 | 140% | 0.900 | 80 | 0 | 0 | 0 |

FAILED  round 3, ours: did not start
TROUBLE round 4, ours: 2 errors, 0 mismatches, 0 starved connections
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableShowsTrouble(t *testing.T) {
	samples, err := read(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	out := format(group(samples), []string{"c"})
	for _, want := range []string{
		"FAILED  round 3, ours: did not start",
		"TROUBLE round 4, ours: 2 errors",
		"0.900",
		"x c",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
}

const pairLines = `# pair load server base bound
p http:1x1 ours theirs >=0.97
p http:1x1 ours theirs >=1.5
p http:1x1 ours theirs -
p idle:9x9 ours theirs rss<=1
p idle:9x9 ours theirs rss<=base+0.5
p idle:9x9 ours theirs rss<=base
p go:1x1   ours -      us<=0.15
p go:1x1   ours -      own<=1.03
p paced:3x3 ours theirs p99<=1.2
p paced:3x3 ours theirs p99
p http:2x2 ours theirs >=0.97
`

func TestBoundsAreJudged(t *testing.T) {
	var samples []sample.Sample
	for round := range 3 {
		add := func(cell, server string, cpu, kib float64) {
			samples = append(samples, sample.Sample{Round: round, Cell: cell, Server: server, CPUMicros: cpu,
				RSSPerConn: kib * 1024})
		}
		add("p/http:1x1", "ours", 8, 0)
		add("p/http:1x1", "theirs", 10, 0)
		add("p/idle:9x9", "ours", 0, 1.25)
		add("p/idle:9x9", "theirs", 0, 1)
		add("p/go:1x1", "ours", 0.1, 0)
		samples[len(samples)-1].Ratio = 1.02
		for i, server := range []string{"theirs", "ours"} {
			add("p/paced:3x3", server, 1, 0)
			samples[len(samples)-1].P99 = 100 + 30*float64(i)
		}
		if round < 2 {
			add("p/http:2x2", "ours", 1, 0)
			add("p/http:2x2", "theirs", 1, 0)
		}
	}
	pairs, err := readPairs(strings.NewReader(pairLines))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(formatPairs(pairs, group(samples))), "\n")[1:]
	want := []string{"1.250 >=0.97 met", "1.250 >=1.5 NOT MET", "1.250 -", "1.250 rss<=1 NOT MET",
		"0.250 rss<=base+0.5 met", "0.250 rss<=base NOT MET", "0.100 us<=0.15 met", "1.020 own<=1.03 met",
		"1.300 p99<=1.2 NOT MET", "1.300 p99", "1.000 >=0.97 too few rounds"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(lines), len(want), lines)
	}
	for i, line := range lines {
		if got := strings.Join(strings.Fields(line)[7:], " "); got != want[i] {
			t.Errorf("%s is judged %q, want %q", pairs[i].bound.text, got, want[i])
		}
	}
}

func TestBadBoundsAreNamed(t *testing.T) {
	for _, text := range []string{"0.97", ">=", "rss<=two", "ratio>=1", ">=1x"} {
		if _, err := readPairs(strings.NewReader("p load ours theirs " + text)); err == nil ||
			!strings.Contains(err.Error(), text) {
			t.Errorf("error %v for bound %q", err, text)
		}
	}
}

func TestTSVHasOneFieldPerColumn(t *testing.T) {
	out := formatTSV([]sample.Sample{{Round: 1, Failed: "a\tb\nc"}, {Round: 2, CPUMicros: 1.5}})
	rows := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(rows) != 3 {
		t.Fatalf("%d rows, want 3:\n%s", len(rows), out)
	}
	columns := strings.Count(rows[0], "\t")
	for _, row := range rows {
		if got := strings.Count(row, "\t"); got != columns {
			t.Errorf("row has %d tabs, header %d: %q", got, columns, row)
		}
	}
}

func TestBadLineIsNamed(t *testing.T) {
	if _, err := read(strings.NewReader("{}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}
