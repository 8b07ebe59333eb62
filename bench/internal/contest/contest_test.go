package contest

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/bench/internal/host"
	"ringo/bench/internal/sample"
	"ringo/bench/internal/stats"
)

func TestCatalogueIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Servers() {
		if s.Title == "" || names[s.Name] || (s.Needs == "") != (s.Apt == "") {
			t.Errorf("%+v", s)
		}
		names[s.Name] = true
	}
	cells := map[string]bool{}
	used := map[string]bool{}
	for _, c := range Cells() {
		if cells[c.Name()] || c.Title == "" || c.Mode == "" || c.Depth < 1 || c.Size < 1 {
			t.Errorf("%+v", c)
		}
		cells[c.Name()] = true
		for _, s := range c.Servers {
			used[s] = true
			if !names[s] {
				t.Errorf("%s: server %q is in no list", c.Name(), s)
			}
		}
		for _, s := range []string{c.Match.Base, c.Match.Ours} {
			if !slices.Contains(c.Servers, s) {
				t.Errorf("%s: %q of its match does not compete", c.Name(), s)
			}
		}
		short := c
		short.Shorten()
		if !slices.Contains(short.Servers, c.Match.Base) || !slices.Contains(short.Servers, c.Match.Ours) ||
			len(short.Servers) > len(c.Servers) {
			t.Errorf("%s in a quick run: %q", c.Name(), short.Servers)
		}
		if c.Share > 0 {
			if closed := c.Closed(); !cells[closed.Name()] || c.Peak != Base || closed.Share != 0 {
				t.Errorf("%s is a share of the peak of %q in %q", c.Name(), c.Peak, closed.Name())
			}
		}
	}
	for name := range names {
		if !used[name] {
			t.Errorf("server %q competes nowhere", name)
		}
	}
	for _, c := range Cells() {
		if left := c.Conns >= 1000 && !slices.Contains(c.Servers, "ringo-select-goroutine"); left != (c.Without != "") {
			t.Errorf("%s: %q, without %q", c.Name(), c.Servers, c.Without)
		}
	}
	for _, driver := range []string{"uring", "epoll", "poll", "select"} {
		for _, handler := range []string{"request", "conn", "goroutine"} {
			if s := "ringo-" + driver + "-" + handler; !used[s] {
				t.Errorf("%s competes nowhere", s)
			}
		}
	}
	for _, name := range quickCells {
		if !cells[name] {
			t.Errorf("a quick run measures %q, which is no cell", name)
		}
	}
}

// entry makes a sample.
func entry(round int, cell, server string, cpu float64) sample.Sample {
	return sample.Sample{Round: round, Cell: cell, Server: server, CPUMicros: cpu, PerSecond: 1000, P50: 10 * cpu,
		P99: 50 * cpu}
}

// testRecord has nine rounds that drift by a factor of ten, in which ratios hold nevertheless.
func testRecord() *Record {
	rec := &Record{About: About{Begin: time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC), Rounds: 9, Seconds: 0.3,
		Quiet: 0.1, Commit: "abc", Command: "bench compare", Host: host.Host{CPU: "A <CPU>", CPUs: 2, Kernel: "6.18",
			Mitigations: map[string]string{"retbleed": "Mitigation: x"}, Versions: map[string]string{"Go": "go1.26"}},
		Charges: host.Charges{"getppid": 150},
		LeftOut: []LeftOut{{"haproxy", "haproxy is not installed: apt-get install haproxy"}}},
		End: End{Minutes: 12, Charges: host.Charges{"getppid": 160}}}
	for round := 1; round <= 9; round++ {
		drift := 1 + float64(round)
		wobble := 1 + 0.01*float64(round%3-1)
		for server, cpu := range map[string]float64{Base: 6, Control: 6 * wobble, "c-uring": 4, "gnet": 5 * wobble,
			flagship: 4.5, "ringo-epoll-request": 6.05 * wobble, "ringo-uring-goroutine": 7} {
			rec.Samples = append(rec.Samples, entry(round, "echo/50x64", server, cpu*drift))
		}
	}
	bad := entry(1, "echo/50x64", "nbio", 1)
	bad.Failed = "died & <gone>"
	rec.Samples = append(rec.Samples, bad)
	return rec
}

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	r := testRecord().Results()[0]
	i, v := r.Judge(CPU, flagship, Base)
	if math.Abs(i.Median-6/4.5) > 1e-9 || math.Abs(i.High-i.Low) > 1e-9 || i.Rounds != 9 || v != stats.Better {
		t.Errorf("%v, %v: the drift of the rounds is in it", i, v)
	}
	if i, v := r.Judge(CPU, "ringo-epoll-request", Base); v != stats.Same {
		t.Errorf("%v is %v: less than what Go net differs from itself in a round", i, v)
	}
	if _, v := r.Judge(CPU, "nbio", Base); v != stats.TooFew {
		t.Errorf("a server without a whole sample is %v", v)
	}
	if n, why := r.Failed("nbio"); n != 1 || why != "died & <gone>" {
		t.Errorf("failed %d times: %q", n, why)
	}
	if won := r.Winners(); !slices.Equal(won, []string{"c-uring"}) {
		t.Errorf("winners %q, want c-uring", won)
	}
	if best, ok := r.Best(Ringo); !ok || best != flagship {
		t.Errorf("the best of Ringo is %q", best)
	}
	if order := r.Servers(); order[0] != "c-uring" || order[len(order)-1] != "nbio" {
		t.Errorf("order %q", order)
	}
}

func TestLosses(t *testing.T) {
	var got []string
	for _, l := range Losses(testRecord().Results()) {
		got = append(got, l.Ours+" to "+l.Theirs)
	}
	want := []string{"ringo-uring-goroutine to c-uring", "ringo-epoll-request to c-uring",
		"ringo-uring-goroutine to gnet", "ringo-epoll-request to gnet",
		"ringo-uring-goroutine to gonet", flagship + " to c-uring"}
	if !slices.Equal(got, want) {
		t.Errorf("losses %q\nwant %q", got, want)
	}
}

// A control that differs keeps its cell, and those that have none, from telling less than that.
func TestNoiseOfTheControl(t *testing.T) {
	rec := &Record{}
	for round := 1; round <= 9; round++ {
		for server, cpu := range map[string]float64{Base: 10, Control: 11, flagship: 9.5} {
			rec.Samples = append(rec.Samples, entry(round, "echo/50x64", server, cpu))
		}
		programs := map[string]float64{"http-net": 10, "http-uring-goroutine": 9.5, "http-epoll-goroutine": 8}
		for server, cpu := range programs {
			rec.Samples = append(rec.Samples, entry(round, "http/50x13", server, cpu))
		}
	}
	echo, http := rec.Results()[0], rec.Results()[1]
	if _, v := echo.Judge(CPU, flagship, Base); v != stats.Same {
		t.Errorf("5 %% are %v where the noise is 10", v)
	}
	if _, v := http.Judge(CPU, "http-uring-goroutine", "http-net"); v != stats.Same {
		t.Errorf("5 %% are %v where another cell's noise is 10", v)
	}
	if _, v := http.Judge(CPU, "http-epoll-goroutine", "http-net"); v != stats.Better {
		t.Errorf("25 %% are %v where the noise is 10", v)
	}
}

func write(t *testing.T, rec *Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, &rec.About)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rec.Samples {
		if err := w.Add(&rec.Samples[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(&rec.End); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecordIsReadAsWritten(t *testing.T) {
	want := testRecord()
	got, err := Read(bytes.NewReader(write(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What was written before a run was killed, even in the middle of a line, is a record.
func TestRecordIsReadWithoutItsEnd(t *testing.T) {
	text := write(t, testRecord())
	lines := bytes.SplitAfter(text, []byte("\n"))
	rec, err := Read(bytes.NewReader(slices.Concat(bytes.Join(lines[:4], nil), lines[4][:20])))
	if err != nil || len(rec.Samples) != 3 || rec.End.Minutes != 0 {
		t.Errorf("%d samples, %v; want 3", len(rec.Samples), err)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"no first":     string(lines[1]),
		"a bad middle": string(lines[0]) + "nonsense\n" + string(lines[1]),
		"no sample":    string(lines[0]) + "{}\n",
	} {
		if rec, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, rec)
		}
	}
}

func TestResultsKeepCellsThatAreUnknown(t *testing.T) {
	rec := &Record{Samples: []sample.Sample{entry(1, "new/7x7", "other", 1), entry(1, "echo/50x64", Base, 1)}}
	var names []string
	for _, r := range rec.Results() {
		names = append(names, r.Cell.Name())
	}
	if want := "[echo/50x64 new/7x7]"; fmt.Sprint(names) != want {
		t.Errorf("cells %v, want %s", names, want)
	}
}
