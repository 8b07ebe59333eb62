//go:build linux

package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/sample"
)

func TestParse(t *testing.T) {
	exit := errors.New("exit status 1")
	cases := []struct {
		name, line, said string
		end              error
		failed, err      string // what goes wrong, with a result and without
	}{
		{name: "a whole one", line: `{"round":0,"cell":"","server":"","requests":10,"cpu_us":2.5}` + "\n"},
		{name: "a wrong byte", line: `{"requests":10,"mismatches":1}`, end: exit, said: "load: byte 7",
			failed: "0 connections broke and 1 got a wrong byte: load: byte 7"},
		{name: "a broken connection", line: `{"requests":10,"errors":2}`, failed: "2 connections broke"},
		{name: "an idle server", line: `{"requests":10}`, failed: "the server did nothing"},
		{name: "a bad end", line: `{"requests":10,"cpu_us":1}`, end: exit, said: "why",
			failed: "load: exit status 1: why"},
		{name: "nothing", end: exit, said: "load: refused", err: "load: exit status 1: load: refused"},
		{name: "nothing, and no error", err: "load: no result"},
		{name: "no JSON", line: "panic: ...", err: `load: invalid character 'p'`},
	}
	for _, c := range cases {
		s, err := parse([]byte(c.line), c.end, c.said)
		if want := cmp.Or(c.failed, c.err); want == "" && err != nil ||
			want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", c.name, err, want)
		}
		if c.err == "" && (s == nil || s.Requests != 10) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestOutputIsReadByLines(t *testing.T) {
	o := new(output)
	for _, text := range []string{"[gnet] listening on: it logs\nlis", "tening tcp://1.2.3.4:5 driver=x\n", "half"} {
		o.Write([]byte(text))
	}
	if got, want := o.line(announced), "listening tcp://1.2.3.4:5 driver=x"; got != want {
		t.Errorf("the announcement is %q, want %q", got, want)
	}
	if got := o.line("half"); got != "" {
		t.Errorf("a line that has not ended is given: %q", got)
	}
	if got := o.last(); got != "half" {
		t.Errorf("the last line is %q, want half", got)
	}
	o.Write([]byte(" of it\n\n"))
	if last, line := o.last(), o.line("half"); last != "half of it" || line != last {
		t.Errorf("the last line is %q, the one of half %q", last, line)
	}
	for range 2 {
		if n, err := o.Write(make([]byte, saidMax)); n != saidMax || err != nil || len(o.text()) > saidMax {
			t.Errorf("%d bytes are written, %v, and %d kept", n, err, len(o.text()))
		}
	}
}

func TestEveryServerHasACommand(t *testing.T) {
	r := &Rig{work: t.TempDir(), Bin: "/bin"}
	for _, cell := range contest.Cells() {
		for _, s := range cell.Servers {
			c, err := r.command(s, &cell, 20001, 20002)
			if err != nil {
				t.Errorf("%s, %s: %v", cell.Name(), s, err)
				continue
			}
			if itself := cell.Kind == contest.Disk; itself || c.figures != nil {
				if !itself || c.figures == nil || !slices.Contains(c.argv, r.file()) {
					t.Errorf("%s, %s: %q", cell.Name(), s, c.argv)
				}
				continue
			}
			if !strings.Contains(strings.Join(c.argv, " ")+c.conf(t), "20001") {
				t.Errorf("%s, %s: no port in %q", cell.Name(), s, c.argv)
			}
			if ours := contest.ByName(s).Family == contest.Ringo; ours && c.driver == "" {
				t.Errorf("%s, %s: the driver is not checked", cell.Name(), s)
			}
			if proxied := strings.HasSuffix(string(cell.Kind), "proxy"); proxied != (c.before != nil) {
				t.Errorf("%s, %s: behind it runs %q", cell.Name(), s, c.before)
			}
		}
	}
	if c, err := r.command("nonsense", &contest.Cell{}, 1, 2); err == nil {
		t.Errorf("an unknown server is %q", c.argv)
	}
}

// conf is what is in the settings that a command names.
func (c *command) conf(t *testing.T) string {
	for _, arg := range c.argv {
		if strings.HasSuffix(arg, ".conf") {
			b, err := os.ReadFile(arg)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	return ""
}

const callsTable = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 61.54    0.204163           6     30467           sendto
 25.01    0.083001          52      1575         3 io_uring_enter
  9.99    0.033180          54       612        20 futex
  0.00    0.000004           0        50           accept4
------ ----------- ----------- --------- --------- ------------------
100.00    0.331747          10     32704        23 total
`

func TestParseCalls(t *testing.T) {
	got, err := parseCalls(callsTable)
	want := map[string]int{"sendto": 30467, "io_uring_enter": 1575, "futex": 612, "accept4": 50}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := parseCalls("strace: nothing"); err == nil {
		t.Errorf("no table gives %v", got)
	}
}

func TestParsePerf(t *testing.T) {
	const text = "# started on Wed\n\n8418,,raw_syscalls:sys_enter,512345,100.00,,\n"
	if n, err := parsePerf(text); err != nil || n != 8418 {
		t.Errorf("got %d, %v, want 8418", n, err)
	}
	for _, text := range []string{"", "<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n"} {
		if n, err := parsePerf(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// builds makes programs of the module, once.
var builds = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "build", "-o", binaries+"/", "./cmd/load", "./cmd/serve")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binaries, nil
})

// binaries is where they are.
var binaries string

// wrong is set where the test's binary is to be a server that answers wrongly, on the port that is its argument.
const wrong = "RIG_TEST_WRONG"

func serveWrongly(port string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 1<<10)
			for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
				b[n-1]++
				c.Write(b[:n])
			}
		}()
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(wrong) != "" {
		panic(serveWrongly(os.Args[1]))
	}
	var err error
	if binaries, err = os.MkdirTemp("", "rig"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(binaries)
	os.Exit(code)
}

// testRig is a rig with the load generator and the server of package net.
func testRig(t *testing.T) *Rig {
	bench, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bench)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.Bin, err = builds(); err != nil {
		t.Fatal(err)
	}
	// On one CPU if there is but one; all that is asked is that it works.
	r.Seconds, r.Warmup, r.Quiet, r.CPU, r.LoadCPU = 0.05, 0.01, 1000, CPUs{0}, CPUs{0}
	return r
}

func TestMeasure(t *testing.T) {
	r := testRig(t)
	for _, cell := range contest.Cells() {
		if name := cell.Name(); name != "echo/10x64" && name != "open/50x64@20" {
			continue
		}
		step := plan.Step{Round: 3, Cell: cell.Name(), Server: contest.Base}
		s, err := r.Measure(t.Context(), step, &cell, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if s.Failed != "" || s.Round != 3 || s.Cell != step.Cell || s.Server != step.Server || s.CPUMicros <= 0 ||
			s.Requests == 0 || s.P99 <= 0 {
			t.Errorf("%+v", s)
		}
		if open := cell.Share > 0; open != (s.Rate == 1000) || open != (s.LateP99 > 0) {
			t.Errorf("%s: rate %v, late by %v", cell.Name(), s.Rate, s.LateP99)
		}
	}
}

// A process has as many idle connections as it may, and no requests in the window are as it should be.
func TestIdleConnections(t *testing.T) {
	r := testRig(t)
	r.idle = 3
	cell, err := contest.Parse("", "idle:50x64")
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Measure(t.Context(), plan.Step{Round: 1, Cell: cell.Name(), Server: contest.Base}, &cell, 0)
	if err != nil || s.Failed != "" || s.Conns != 3 || s.Requests != 0 || s.RSSBefore == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestFailuresAreInTheSample(t *testing.T) {
	r := testRig(t)
	r.Again, r.Spare = 5, 100
	cell := contest.Cells()[0]
	for server, want := range map[string]string{"c-epoll": "no such file", "nonsense": "unknown server"} {
		s, err := r.Measure(t.Context(), plan.Step{Round: 1, Cell: cell.Name(), Server: server}, &cell, 0)
		if err != nil || s.Server != server || !strings.Contains(s.Failed, want) {
			t.Errorf("%s: %+v, %v; want a failure with %q", server, s, err, want)
		}
	}
	if r.Spare != 100 {
		t.Errorf("%d measurements are left to make again, want 100: a server that fails has failed", r.Spare)
	}
}

func TestWhatIsMeasuredAgain(t *testing.T) {
	r := &Rig{Quiet: 0.1}
	for _, c := range []struct {
		name string
		s    sample.Sample
		want bool
	}{
		{"a quiet one", sample.Sample{OtherBusy: 0.1}, false},
		{"a disturbed one", sample.Sample{OtherBusy: 0.11}, true},
		{"a wrong byte", sample.Sample{OtherBusy: 0.9, Mismatches: 1}, false},
		{"a lost reply", sample.Sample{OtherBusy: 0.9, Errors: 1, Failed: errDidNothing.Error()}, false},
		{"a server that does not start", sample.Sample{Failed: "did not start: exit status 1"}, false},
		{"a load that stood still", sample.Sample{Failed: "load: no request was completed in the window"}, true},
		{"a server that ended with it", sample.Sample{Failed: "died: <nil>: x: " + errDidNothing.Error()}, true},
	} {
		if got := r.disturbed(&c.s); got != c.want {
			t.Errorf("%s is measured again: %v, want %v", c.name, got, c.want)
		}
	}
}

// A wrong answer counts even where a measurement is worth nothing, and a server of a command that does not serve fails.
func TestWrongAnswersAreInTheSample(t *testing.T) {
	r := testRig(t)
	r.Again, r.Spare, r.Quiet = 5, 100, -1
	cell, err := contest.Parse("", "10x64")
	if err != nil {
		t.Fatal(err)
	}
	cell.Command = map[string]contest.Command{
		"wrong": {Argv: []string{"env", wrong + "=1", os.Args[0], "{port}"}},
		"ends":  {Argv: []string{"echo", "size", "{size}"}},
	}
	for server, want := range map[string]string{"wrong": "after 0 errors and 10 mismatches",
		"ends": "did not start: <nil>: size 64"} {
		s, err := r.Measure(t.Context(), plan.Step{Round: 1, Cell: cell.Name(), Server: server}, &cell, 0)
		if err != nil || !strings.Contains(s.Failed, want) {
			t.Errorf("%s: %+v, %v; want a failure with %q", server, s, err, want)
		}
	}
	if r.Spare != 100 {
		t.Errorf("%d measurements are left to make again, want 100", r.Spare)
	}
}

// What is disturbed is measured again, as often as that is worth it, and there is an end to it.
func TestDisturbedMeasurementsAreMadeAgain(t *testing.T) {
	r := testRig(t)
	r.Quiet = -1 // so that everything disturbs
	cell := contest.Cells()[0]
	for _, c := range []struct{ again, spare, left int }{{2, 9, 7}, {2, 1, 0}, {0, 9, 9}} {
		r.Again, r.Spare = c.again, c.spare
		s, err := r.Measure(t.Context(), plan.Step{Round: 1, Cell: cell.Name(), Server: contest.Base}, &cell, 0)
		if err != nil || s.Failed != "" || r.Spare != c.left {
			t.Errorf("again %d of %d: %d left, %+v, %v; want %d left", c.again, c.spare, r.Spare, s, err, c.left)
		}
	}
}

// Wherever it is when its context ends, it ends what it has started and says so.
func TestMeasureEndsWithItsContext(t *testing.T) {
	r := testRig(t)
	r.Seconds = 1000
	cell := contest.Cells()[0]
	for _, limit := range []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		s, err := r.Measure(ctx, plan.Step{Round: 1, Cell: cell.Name(), Server: contest.Base}, &cell, 0)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || s != nil {
			t.Errorf("after %v: %+v, %v, want an error", limit, s, err)
		}
	}
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if exe, err := os.Readlink(name); err == nil && strings.HasPrefix(exe, r.Bin) {
			t.Errorf("%s is left: %s", name, exe)
		}
	}
}
