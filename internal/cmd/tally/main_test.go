package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const run = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"=== RUN   TestA/one\n"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"    a_test.go:7: the kernel has no such: thing\n"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"    --- SKIP: TestA/two (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`

const bad = `{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"output","Package":"q","Test":"TestB","Output":"    b_test.go:9: no good\n"}
{"Action":"fail","Package":"q","Test":"TestB"}
{"Action":"output","Package":"q","Output":"FAIL\n"}
{"Action":"fail","Package":"q"}
`

const crash = `{"Action":"run","Package":"s","Test":"TestD"}
{"Action":"output","Package":"s","Test":"TestD","Output":"panic: oh\n"}
{"Action":"output","Package":"s","Output":"FAIL\ts\n"}
{"Action":"fail","Package":"s"}
`

// A panic behind a subtest's last word is of the test above it, as go test reckons.
const above = `{"Action":"run","Package":"u","Test":"TestE"}
{"Action":"run","Package":"u","Test":"TestE/uring"}
{"Action":"output","Package":"u","Test":"TestE","Output":"panic: oh\n"}
{"Action":"fail","Package":"u"}
`

const mute = `{"Action":"run","Package":"r","Test":"TestC"}
{"Action":"skip","Package":"r","Test":"TestC"}
`

func TestTally(t *testing.T) {
	sum := filepath.Join(t.TempDir(), "sum")
	for _, c := range []struct {
		in, says, counts, failed string
	}{
		{run, "ok  \tp\t1.5s\n", "1 1\np TestA/two: the kernel has no such: thing\n", ""},
		{bad, "--- FAIL: q TestB\n    b_test.go:9: no good\nFAIL\n",
			"1 1\np TestA/two: the kernel has no such: thing\n", "q TestB, q"},
		{mute, "--- SKIP without a reason: r TestC\n", "1 2\np TestA/two: the kernel has no such: thing\nr TestC: \n",
			"r TestC"},
		{crash, "--- UNFINISHED: s TestD\npanic: oh\nFAIL\ts\n",
			"1 2\np TestA/two: the kernel has no such: thing\nr TestC: \n", "s"},
		{above, "--- UNFINISHED: u TestE\npanic: oh\n--- UNFINISHED: u TestE/uring\n",
			"1 2\np TestA/two: the kernel has no such: thing\nr TestC: \n", "u"},
		{"go: no such package\n", "go: no such package\n",
			"1 2\np TestA/two: the kernel has no such: thing\nr TestC: \n", ""},
	} {
		var out strings.Builder
		y := tally{out: &out, tests: map[name]*test{}}
		if err := y.read(strings.NewReader(c.in)); err != nil {
			t.Fatal(err)
		}
		if err := y.add(sum); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.says {
			t.Errorf("says %q, want %q", out.String(), c.says)
		}
		if got, _ := os.ReadFile(sum); string(got) != c.counts {
			t.Errorf("counts %q, want %q", got, c.counts)
		}
		if got := strings.Join(y.failed, ", "); got != c.failed {
			t.Errorf("failed: %q, want %q", got, c.failed)
		}
	}
}

func TestBadSum(t *testing.T) {
	sum := filepath.Join(t.TempDir(), "sum")
	os.WriteFile(sum, []byte("one two three\n"), 0o644)
	if err := (&tally{}).add(sum); err == nil {
		t.Error("a file that is none of ours is accepted")
	}
}

// A pattern that no test's name matches any more is no success.
func TestNone(t *testing.T) {
	const nothing = `{"Action":"output","Package":"p","Output":"testing: warning: no tests to run\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s [no tests to run]\n"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`
	for in, failed := range map[string]int{nothing: 1, nothing + mute: 1, nothing + run: 0} {
		y := tally{out: new(strings.Builder), tests: map[name]*test{}}
		if err := y.read(strings.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		if y.none(); len(y.failed) != failed {
			t.Errorf("%d failed of\n%s", len(y.failed), in)
		}
	}
}
