//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
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
	wrong string // a server that answers wrongly
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
	s := &sample.Sample{Round: step.Round, Cell: step.Cell, Server: step.Server, Requests: 1, CPUMicros: 5,
		PerSecond: 1000 * float64(len(f.asked)), P99: 1}
	if step.Server == f.wrong {
		s.Mismatches = 1
	}
	return s, nil
}

func optionsOf(t *testing.T, name string, args ...string) (o *options, said *bytes.Buffer) {
	t.Helper()
	said = new(bytes.Buffer)
	o, err := newOptions(name, args, said, said)
	if err != nil {
		t.Fatal(err)
	}
	return o, said
}

func comparisonOf(t *testing.T, args ...string) *comparison {
	t.Helper()
	o, said := optionsOf(t, "compare", args...)
	c, err := parseCompare(o)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return c
}

// record has the fake measure and writes what comes of it, up to the end of ctx, into a file.
func record(t *testing.T, ctx context.Context, o *options, cells []contest.Cell, f *fake) (name string) {
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
	if err := o.takeTurns(ctx, f, cells, w); err != nil {
		t.Fatal(err)
	}
	return name
}

// recordOf is a file with the record of some samples.
func recordOf(t *testing.T, samples []sample.Sample) (name string) {
	t.Helper()
	var b bytes.Buffer
	w, err := contest.NewWriter(&b, &contest.About{Begin: time.Now()})
	for i := 0; err == nil && i < len(samples); i++ {
		err = w.Add(&samples[i])
	}
	name = filepath.Join(t.TempDir(), "record")
	if err := errors.Join(err, os.WriteFile(name, b.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	return name
}

// printed are the lines, less their blanks, that a command makes of some samples.
func printed(t *testing.T, samples []sample.Sample, args ...string) (code int, lines []string) {
	t.Helper()
	var out bytes.Buffer
	args = slices.Insert(args, 1, "-from", recordOf(t, samples))
	code = call(t.Context(), args, &out, io.Discard)
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return code, lines
}

func TestInterruptedRunsAreReported(t *testing.T) {
	c := comparisonOf(t, "-cells", "echo/(50x64$|10x64)")
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{stop: 40, end: cancel}
	said := c.stderr.(*bytes.Buffer)
	from := record(t, ctx, c.options, c.choose(), f)
	if want := "round 2 of 9, echo/10x64: 29 of 261 done, 0s left"; !strings.Contains(said.String(), want) {
		t.Errorf("it does not say %q: %s", want, said)
	}
	if len(f.asked) != 40 {
		t.Fatalf("%d measurements, want none after the 40th was interrupted", len(f.asked))
	}
	var out bytes.Buffer
	page := filepath.Join(t.TempDir(), "page.html")
	if code := call(t.Context(), []string{"compare", "-from", from, "-html", page}, &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	in, err := os.Open(from)
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
	c := comparisonOf(t, "-cells", "echo/50x64$", "-rounds", "6")
	f := &fake{bad: "gnet"}
	from := record(t, t.Context(), c.options, c.choose(), f)
	asked := map[string]int{}
	for _, s := range f.asked {
		asked[s.Server]++
	}
	if asked["gnet"] != failedMax || asked["nbio"] != 6 {
		t.Errorf("measured %v", asked)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	for _, test := range []struct{ args, want string }{
		{"compare -html " + page, "FAILED  gnet, 2 times: it did not start"},
		{"run", "FAILED  round 2, echo/50x64, gnet: it did not start"},
	} {
		var out bytes.Buffer
		args := append(strings.Fields(test.args), "-from", from)
		if code := call(t.Context(), args, &out, io.Discard); code != 1 {
			t.Errorf("%s: exit code %d, want 1", test.args, code)
		}
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("the tables lack %q:\n%s", test.want, &out)
		}
	}
}

func TestWrongAnswersAreTold(t *testing.T) {
	o, _ := optionsOf(t, "run")
	from := record(t, t.Context(), o, []contest.Cell{{Load: "9x9", Servers: []string{"a", "b"}}}, &fake{wrong: "b"})
	var out bytes.Buffer
	if code := call(t.Context(), []string{"run", "-from", from, "-base", "a"}, &out, io.Discard); code != 1 {
		t.Errorf("exit code %d of a wrong answer, want 1", code)
	}
	// What is wrong counts for nothing else.
	for _, want := range []string{"a        11   5.000      0%  1.000  12000", "b         0       -       -      -",
		"TROUBLE round 1, 9x9, b: 0 errors, 1 mismatches"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}

func TestOpenCellsGetTheSameRateInAllRounds(t *testing.T) {
	c := comparisonOf(t, "-cells", "open", "-rounds", "2")
	f := new(fake)
	record(t, t.Context(), c.options, c.choose(), f)
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
	cells, left := present(comparisonOf(t, "-only", "proxy", "-cells", "^proxy/").choose(), haproxy)
	if len(cells) != 2 || slices.Contains(cells[0].Servers, "haproxy") || len(cells[0].Servers) != 3 {
		t.Errorf("cells %+v", cells)
	}
	if len(left) != 1 || left[0].Server != "haproxy" || !strings.Contains(left[0].Why, "apt-get install haproxy") {
		t.Errorf("left out: %+v", left)
	}
	full, quick := comparisonOf(t).choose(), comparisonOf(t, "-quick").choose()
	if a, b := count(full), count(quick); b == 0 || b > a/3 {
		t.Errorf("a quick round has %d measurements, a full one %d", b, a)
	}
	if none, _ := present(comparisonOf(t, "-only", "nobody").choose(), nil); len(none) != 0 {
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
		"":                      "COMMAND is one of beside, compare, ",
		"measure":               "COMMAND is one of beside, compare, ",
		"compare -only (":       "-only: error parsing regexp",
		"run -rounds 0":         "-rounds 0, -seconds 1",
		"compare -rounds -1":    "-rounds -1, -seconds 0.3",
		"compare -server-cpu 1": "both 1",
		"compare extra":         `unexpected arguments ["extra"]`,
		"compare -seconds -2":   "-seconds -2",
		"run -server-cpu 0,x":   `invalid value "0,x"`,
		"run -cells 50":         `bad cell "50"`,
		"run -cells 50x0":       "want numbers from 1 on",
		"run -servers nobody":   `unknown server "nobody"`,
		"run -add mine":         "want NAME=COMMAND",
		"run -bogus":            "flag provided but not defined",
	} {
		var said bytes.Buffer
		code := call(t.Context(), strings.Fields(args), io.Discard, &said)
		if code != 2 || !strings.Contains(said.String(), want) {
			t.Errorf("%s: exit code %d, said %q, want 2 and %q", args, code, &said, want)
		}
	}
}

func TestQuickLeavesWhatIsSaid(t *testing.T) {
	if c := comparisonOf(t, "-quick", "-rounds", "3"); c.rounds != 3 || c.seconds != secondsQuick {
		t.Errorf("%d rounds of %v s", c.rounds, c.seconds)
	}
}
