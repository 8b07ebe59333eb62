//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/sample"
)

// fake measures nothing, and is asked to end before one of its measurements has.
type fake struct {
	bad   string // a server that fails
	asked []plan.Step
	rates map[string]float64
	stop  int // at this measurement; 0: never
	end   context.CancelFunc
}

func (f *fake) Measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	f.asked = append(f.asked, step)
	if f.rates == nil {
		f.rates = map[string]float64{}
	}
	f.rates[step.Cell] = rate
	if len(f.asked) == f.stop {
		f.end()
		return nil, ctx.Err()
	}
	if step.Server == f.bad {
		return &sample.Sample{Round: step.Round, Cell: step.Cell, Server: step.Server, Failed: "it did not start"}, nil
	}
	return &sample.Sample{Round: step.Round, Cell: step.Cell, Server: step.Server, Requests: 1, CPUMicros: 5,
		PerSecond: 1000 * float64(len(f.asked)), P99: 1}, nil
}

func optionsOf(t *testing.T, args ...string) *options {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// record has the fake measure and writes what comes of it, up to the end of ctx, into a file.
func record(t *testing.T, ctx context.Context, o *options, f *fake) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "record")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := contest.NewWriter(file, &contest.About{Begin: time.Now(), Rounds: o.rounds})
	if err != nil {
		t.Fatal(err)
	}
	cells, _ := o.choose(nil)
	if err := o.takeTurns(ctx, f, cells, w, io.Discard); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestInterruptedRunsAreReported(t *testing.T) {
	o := optionsOf(t, "-cells", "echo/(50x64$|10x64)")
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{stop: 40, end: cancel}
	o.from = record(t, ctx, o, f)
	o.html = filepath.Join(t.TempDir(), "page.html")
	if len(f.asked) != 40 {
		t.Fatalf("%d measurements, want none after the 40th was interrupted", len(f.asked))
	}
	var out bytes.Buffer
	if ok, err := o.report(&out, io.Discard); err != nil || !ok {
		t.Fatalf("ok %v, %v", ok, err)
	}
	in, err := os.Open(o.from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	rec, err := contest.Read(in)
	if err != nil || len(rec.Samples) != 39 {
		t.Fatalf("%d samples, %v; want the 39 that were whole", len(rec.Samples), err)
	}
	for _, want := range []string{"echo/10x64", "echo/50x64", "ringo-uring-request", "too few rounds"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, &out)
		}
	}
}

func TestServersThatFailAreGivenUp(t *testing.T) {
	o := optionsOf(t, "-cells", "echo/50x64$", "-rounds", "6")
	f := &fake{bad: "gnet"}
	o.from, o.html = record(t, t.Context(), o, f), filepath.Join(t.TempDir(), "page.html")
	asked := map[string]int{}
	for _, s := range f.asked {
		asked[s.Server]++
	}
	if asked["gnet"] != failedMax || asked["nbio"] != 6 {
		t.Errorf("measured %v", asked)
	}
	var out bytes.Buffer
	if ok, err := o.report(&out, io.Discard); ok || err != nil {
		t.Errorf("ok %v, %v; want a run that is not ok", ok, err)
	}
	if want := "FAILED  gnet, 2 times: it did not start"; !strings.Contains(out.String(), want) {
		t.Errorf("the tables lack %q:\n%s", want, &out)
	}
}

func TestOpenCellsGetTheSameRateInAllRounds(t *testing.T) {
	o := optionsOf(t, "-cells", "open", "-rounds", "2")
	f := new(fake)
	record(t, t.Context(), o, f)
	for i, s := range f.asked[:peakRounds] {
		if s.Cell != "echo/50x64" || s.Server != contest.Base {
			t.Errorf("measurement %d is of %+v, want the peak first", i, s)
		}
	}
	for _, s := range f.asked[peakRounds:] {
		if s.Cell == "echo/50x64" {
			t.Errorf("the peak was measured again: %+v", s)
		}
	}
	// The fake's measurements are at 1000, 2000, 3000 a second: the median is the second.
	for cell, want := range map[string]float64{"open/50x64@20": 400, "open/50x64@80": 1600} {
		if got := f.rates[cell]; got != want {
			t.Errorf("%s is asked for %v a second, want %v", cell, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	var haproxy []contest.Server
	for _, s := range contest.Servers() {
		if s.Name == "haproxy" {
			haproxy = append(haproxy, s)
		}
	}
	cells, left := optionsOf(t, "-only", "proxy", "-cells", "^proxy/").choose(haproxy)
	if len(cells) != 2 || slices.Contains(cells[0].Servers, "haproxy") || len(cells[0].Servers) != 3 {
		t.Errorf("cells %+v", cells)
	}
	if len(left) != 1 || left[0].Server != "haproxy" || !strings.Contains(left[0].Why, "apt-get install haproxy") {
		t.Errorf("left out: %+v", left)
	}
	full, _ := optionsOf(t).choose(nil)
	quick, _ := optionsOf(t, "-quick").choose(nil)
	if a, b := count(full), count(quick); b == 0 || b > a/3 {
		t.Errorf("a quick round has %d measurements, a full one %d", b, a)
	}
	if none, _ := optionsOf(t, "-only", "nobody").choose(nil); len(none) != 0 {
		t.Errorf("-only of nobody leaves %+v", none)
	}
}

func count(cells []contest.Cell) (n int) {
	for _, c := range cells {
		n += len(c.Servers)
	}
	return n
}

func TestPackages(t *testing.T) {
	got := packagesOf([]contest.Server{{Apt: "gcc libc6-dev"}, {Apt: "fio"}, {Apt: "gcc libc6-dev"}})
	if want := []string{"fio", "gcc", "libc6-dev"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"-only (":       "-only: error parsing regexp",
		"-rounds -1":    "-rounds is -1",
		"-server-cpu 1": "both 1",
		"extra":         `unexpected arguments ["extra"]`,
		"-seconds -2":   "-seconds -2",
	} {
		var said bytes.Buffer
		if _, err := parse(strings.Fields(args), &said); err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%s: %v, said %q, want %q", args, err, &said, want)
		}
	}
}

func TestMinutes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59*time.Second + 400*time.Millisecond: "59 s", 60 * time.Second: "1 min 00 s",
		605 * time.Second: "10 min 05 s",
	} {
		if got := minutes(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestProgressIsALineACellWhereThereIsNoTerminal(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, 4, 1)
	steps := []plan.Step{{Round: 1, Cell: "a", Server: "x"}, {Round: 1, Cell: "a", Server: "y"},
		{Round: 1, Cell: "b", Server: "x"}}
	for i, s := range steps {
		p.show(i, s, 90*time.Second)
	}
	p.end()
	want := regexp.MustCompile(`^round 1 of 1, a: 0 of 4 done, 1 min 30 s left\nround 1 of 1, b: 2 of 4 done, .*\n$`)
	if !want.MatchString(b.String()) {
		t.Errorf("got %q", &b)
	}
}
