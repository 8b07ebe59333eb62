//go:build linux

package bench

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// short is a suite of the fewest rounds, of moments.
func short(t *testing.T, quick bool) *suite {
	t.Helper()
	t.Setenv("RINGO_DRIVER", "")
	dir := t.TempDir()
	s, err := newSuite(quick, dir, func(string) {})
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		for _, c := range s.children {
			if c.cmd.ProcessState == nil {
				t.Errorf("%s has not ended", c.name)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// All that works on this machine is measured: each row of each cell has its figures, and its ratios to the base.
func TestSuite(t *testing.T) {
	s := short(t, false)
	s.run(t.Context(), 0, 5*time.Millisecond)
	r, err := s.finish()
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds != roundsMin || r.Stopped {
		t.Errorf("%d rounds, stopped %v, want %d, false", r.Rounds, r.Stopped, roundsMin)
	}
	if cpus := float64(r.CPUs); r.Others < 0 || r.Others > 2*cpus || r.Seconds <= 0 {
		t.Errorf("other programs used %v of %v CPUs in %v s", r.Others, cpus, r.Seconds)
	}
	want := []string{cellTCP, cellHTTP, cellUDP, cellAlone, cellLoops, cellPlaces, cellRead, cellDirect, cellAppend}
	var names []string
	for _, c := range r.Cells {
		names = append(names, c.Name)
		if c.row(c.Base) == nil {
			t.Errorf("%s has no row %s", c.Name, c.Base)
		}
		for _, row := range c.Rows {
			switch {
			case row.Failed != "" && c.Name == cellDirect:
				t.Logf("no direct reads here: %s", row.Failed)
			case row.CPU == nil || row.CPU.Median <= 0 || row.PerSecond == nil || row.P50.Median <= 0 ||
				row.P99.Median <= 0:
				t.Errorf("%s, %s lacks figures: %+v", c.Name, row.Name, row)
			case row.Name != c.Base && (row.Thrift == nil || row.Speed == nil || row.Delay == nil):
				t.Errorf("%s, %s lacks ratios: %+v", c.Name, row.Name, row)
			case row.CPU.Rounds != roundsMin:
				t.Errorf("%s, %s was measured in %d rounds", c.Name, row.Name, row.CPU.Rounds)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("the cells are %v, want %v", names, want)
	}
	if r.Charges.Call.Median <= 0 || r.Charges.Wake.Median <= 0 ||
		r.Charges.Enter != nil && r.Charges.Enter.Median <= 0 {
		t.Errorf("the host charges %+v, %+v, %+v", r.Charges.Call, r.Charges.Enter, r.Charges.Wake)
	}
	for _, row := range r.Cells[0].Rows {
		if row.Name == r.Auto && (row.Auto != nil || row.Thrift == nil) || row.Name == "poll" && row.Auto == nil ||
			row.Name == rowNet && row.Auto != nil {
			t.Errorf("%s beside the driver of auto: %+v", row.Name, row.Auto)
		}
	}
	if len(r.Advice) < 5 {
		t.Errorf("%d pieces of advice: %+v", len(r.Advice), r.Advice)
	}
}

// A context that ends keeps what was measured before.
func TestSuiteStopped(t *testing.T) {
	s := short(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	windows := 0
	s.show = func(string) {
		if windows++; windows == len(s.plan)+3 {
			cancel()
		}
	}
	s.run(ctx, time.Hour, time.Millisecond)
	r, err := s.finish()
	if err != nil || !r.Stopped || r.Rounds != 1 {
		t.Fatalf("%v; stopped %v after %d rounds, want one and a bit", err, r.Stopped, r.Rounds)
	}
	rounds := map[int]int{}
	for _, m := range s.plan {
		rounds[len(m.row.samples)]++
	}
	if rounds[2] != 3 || rounds[1] != len(s.plan)-3 {
		t.Errorf("rows by windows: %v, want 3 with two and the others with one", rounds)
	}
	// Nothing at all is an error, and no report.
	for _, m := range s.plan {
		clear(m.row.samples)
	}
	s.run(ctx, time.Hour, time.Millisecond)
	if r, err := s.finish(); err == nil {
		t.Errorf("a report of nothing: %+v", r)
	}
}

// A server that dies costs its own rows, with the reason, and nothing else.
func TestSuiteServerDies(t *testing.T) {
	s := short(t, true)
	i := slices.IndexFunc(s.children, func(c *child) bool { return c.name == rowNet })
	s.children[i].cmd.Process.Kill()
	s.run(t.Context(), 0, time.Millisecond)
	r, err := s.finish()
	if err != nil {
		t.Fatal(err)
	}
	c := r.Cells[0]
	if net := c.row(rowNet); net.Failed == "" || net.CPU != nil || len(r.Out) == 0 {
		t.Errorf("the dead server's row is %+v, left out is %v", net, r.Out)
	}
	if auto := c.row(r.Auto); auto.CPU == nil || auto.Thrift != nil {
		t.Errorf("the row beside it is %+v", auto)
	}
}

// What others do with the machine meanwhile is told.
func TestOthers(t *testing.T) {
	r := sampled()
	for others, want := range map[float64]bool{0: false, 0.1: false, 1.5: true} {
		r.Others = others
		if got := strings.Contains(r.length(), "other programs used 1.5 CPUs meanwhile"); got != want {
			t.Errorf("%v CPUs: %q", others, r.length())
		}
	}
}

// What is wrong in a file that is read, or in records, is found.
func TestBlocksVerified(t *testing.T) {
	name := filepath.Join(t.TempDir(), "blocks")
	if err := makeBlocks(name); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func() error {
		q := &fileQuestion{Kind: cellRead, Name: name, For: 50 * time.Millisecond}
		_, err := q.window(onGoroutines, func(name string, flag int) (anyFile, error) {
			return os.OpenFile(name, flag,
				0)
		})
		return err
	}
	if err := read(); err != nil {
		t.Error(err)
	}
	for n := range int64(fileBlocks) { // one byte at the end of each block
		if _, err := f.WriteAt([]byte{0xff}, n*blockBytes+blockBytes-5); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(); err == nil {
		t.Error("wrong bytes were not found")
	}
	p := make([]byte, 3*recordBytes)
	for i := range int64(3) {
		fillBlock(p[i*recordBytes:][:recordBytes], i)
	}
	for _, c := range []struct {
		n    int64
		edit func()
		ok   bool
	}{{3, func() {}, true}, {4, func() {}, false}, {2, func() {}, false}, {3, func() { p[300]++ }, false}} {
		c.edit()
		records := filepath.Join(t.TempDir(), "records")
		if err := os.WriteFile(records, p, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkRecords(records, c.n); (err == nil) != c.ok {
			t.Errorf("%d records: %v, want ok %v", c.n, err, c.ok)
		}
	}
}
