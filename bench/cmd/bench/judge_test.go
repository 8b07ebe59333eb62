//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringo/bench/internal/sample"
)

func TestBoundsAreJudged(t *testing.T) {
	var samples []sample.Sample
	for round := range 3 {
		add := func(cell, server string, s sample.Sample) {
			s.Round, s.Cell, s.Server = round, cell, server
			samples = append(samples, s)
		}
		for i, server := range []string{"theirs", "ours"} {
			v := float64(i)
			add("p/http:1x1", server, sample.Sample{CPUMicros: 10 - 2*v})
			add("p/idle:9x9", server, sample.Sample{Mode: "idle", RSSPerConn: (1 + v/4) * 1024})
			add("p/paced:3x3", server, sample.Sample{CPUMicros: 1, P99: 100 + 30*v})
			add("p/disk", server, sample.Sample{Figures: map[string]float64{"IOPS": 1 + v, "threads": 7}})
			if round < 2 {
				add("p/http:2x2", server, sample.Sample{CPUMicros: 1})
			}
		}
		add("p/go:1x1", "ours", sample.Sample{CPUMicros: 0.1, Figures: map[string]float64{"ratio": 1.02}})
		add("p/http:1x1", "wrong", sample.Sample{CPUMicros: 1, Mismatches: 1})
	}
	var pairs []pair
	var want []string
	for _, c := range []struct {
		cell, base string
		asked      asked
		want       string
	}{
		{"p/http:1x1", "theirs", atLeast("", 0.97), "1.250 >=0.97 met"},
		{"p/http:1x1", "theirs", atLeast("", 1.5), "1.250 >=1.5 NOT MET"},
		{"p/http:1x1", "theirs", shown, "1.250 -"},
		{"p/http:1x1", "wrong", atLeast("", 0.97), "- >=0.97 not measured"},
		{"p/idle:9x9", "theirs", itself("rss", 1), "1.250 rss<=1 NOT MET"},
		{"p/idle:9x9", "theirs", above("rss", 0.5), "0.250 rss<=base+0.5 met"},
		{"p/idle:9x9", "theirs", above("rss", 0), "0.250 rss<=base NOT MET"},
		{"p/go:1x1", "", itself("us", 0.15), "0.100 us<=0.15 met"},
		{"p/go:1x1", "", itself("own", 1.03), "1.020 own<=1.03 met"},
		{"p/paced:3x3", "theirs", atMost("p99", 1.2), "1.300 p99<=1.2 NOT MET"},
		{"p/paced:3x3", "theirs", atMost("p99", 0), "1.300 p99"},
		{"p/disk", "theirs", atLeast("IOPS", 1.7), "2.000 IOPS>=1.7 met"},
		{"p/disk", "theirs", itself("threads", 8), "7.000 threads<=8 met"},
		{"p/http:2x2", "theirs", atLeast("", 0.97), "1.000 >=0.97 too few rounds"},
		{"p/gone:1x1", "theirs", atLeast("", 0.97), "- >=0.97 not measured"},
	} {
		pairs = append(pairs, pair{c.cell, "ours", c.base, c.asked})
		want = append(want, c.want)
	}
	o, said := optionsOf(t, "sockets")
	o.from, o.loads = recordOf(t, samples), false
	if err := o.judgedLoads(t.Context(), nil, pairs); err == nil || err.Error() != "3 of 34 measurements failed" {
		t.Errorf("error %v, want that 3 of 34 failed", err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")[1 : len(want)+1]
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(lines), len(want), lines)
	}
	for i, line := range lines {
		if got := strings.Join(strings.Fields(line)[6:], " "); !strings.HasSuffix(got, want[i]) {
			t.Errorf("%v is judged %q, want %q", pairs[i], got, want[i])
		}
	}
}

func TestPairsAreChosen(t *testing.T) {
	all, err := choosePairs(nil, "", "uring", false)
	if err != nil || !slices.Equal(all, socketPairs) {
		t.Errorf("%d of %d without a choice, %v", len(all), len(socketPairs), err)
	}
	some, err := choosePairs([]string{"idle", "redis", "chan"}, "idle|x16|Across$", "epoll", true)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := pairCells(some, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cells {
		got = append(got, fmt.Sprintf("%s %v %d %d", c.Name(), c.Servers, c.Rounds, c.Conns))
	}
	want := []string{"redis/get:50x64x16 [redis-net redis-epoll-conn redis-server] 0 50",
		"redis/set:50x64x16 [redis-net redis-epoll-conn redis-server] 0 50",
		"idle/idle:1000x64 [echo-net ringo-epoll-request ringo-epoll-conn echo-epoll-goroutine] 3 1000",
		"chan/go:.:ChanAcross [cap=64/driver=epoll] 0 0"}
	if !slices.Equal(got, want) {
		t.Errorf("cells %q\nwant  %q", got, want)
	}
	argv := cells[3].Command["cap=64/driver=epoll"].Argv
	for _, want := range []string{"{test .}", "-test.bench=^BenchmarkChanAcross$/^cap=64$/^driver=epoll$",
		"-test.benchtime=0.5s"} {
		if !slices.Contains(argv, want) {
			t.Errorf("the benchmark is %q, want it with %s", argv, want)
		}
	}
	for _, c := range []struct{ name, loads, want string }{
		{"radish", "", "no pair radish: there are http fasthttp"}, {"udp", "x64$x", "no load"}, {"udp", "(", "-loads"},
	} {
		if _, err := choosePairs([]string{c.name}, c.loads, "uring", false); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -loads %s: %v, want %q", c.name, c.loads, err, c.want)
		}
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	const output = "goos: linux\nBenchmarkTouched/a=b-2 \t 10\t 1200.5 ns/op\t 1.02 ratio\nPASS\n"
	if got := fmt.Sprint(parseBench(output)); got != "map[ns/op:1200.5 ratio:1.02]" {
		t.Errorf("got %s", got)
	}
	if got := parseBench("PASS\n"); got != nil {
		t.Errorf("figures of no benchmark: %v", got)
	}
}
