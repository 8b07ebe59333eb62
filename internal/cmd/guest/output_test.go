package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const verbose = `=== RUN   TestGood
    a_test.go:1: good, and noisy
--- PASS: TestGood (0.00s)
=== RUN   TestBad
=== RUN   TestBad/first
=== PAUSE TestBad/first
=== RUN   TestBad/second
    a_test.go:7: got 1, want 2
=== CONT  TestBad/first
    a_test.go:9: no ring here: EPERM
--- FAIL: TestBad (0.01s)
    --- SKIP: TestBad/first (0.00s)
    --- FAIL: TestBad/second (0.00s)
=== RUN   TestOld
    a_test.go:9: no ring here: EPERM
--- SKIP: TestOld (0.00s)
=== RUN   TestLong
=== RUN   TestLong/sub
--- PASS: TestLong (12.34s)
    --- PASS: TestLong/sub (12.30s)
=== RUN   TestMute
--- SKIP: TestMute (0.00s)
=== RUN   TestHangs
SIGQUIT: quit
goroutine 1
`

func TestReport(t *testing.T) {
	r := parse([]byte(verbose + "exit status 2\n"))
	if want := " (tests: 3 passed, 2 failed, 3 skipped)"; r.String() != want {
		t.Errorf("%q, want %q", r.String(), want)
	}
	if want := []string{"TestLong 12 s"}; !slices.Equal(r.slow, want) {
		t.Errorf("slow: %q, want %q", r.slow, want)
	}
	var b strings.Builder
	r.writeSkips(&b, "a")
	want := "SKIP a: TestMute: no reason given\n" +
		"SKIP a: TestBad/first and 1 more: no ring here: EPERM\n"
	if b.String() != want {
		t.Errorf("skips\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	r.writeFailures(&b)
	want = "    TestBad/second: FAIL\n" +
		"        a_test.go:7: got 1, want 2\n" +
		"    TestHangs: did not end\n" +
		"    SIGQUIT: quit\n    goroutine 1\n    exit status 2\n"
	if b.String() != want {
		t.Errorf("failures\n%swant\n%s", b.String(), want)
	}
}

// What is no test is shown as it is, the middle left out if it is long.
func TestReportOfAnotherProgram(t *testing.T) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	r := parse([]byte(text.String()))
	var b strings.Builder
	r.writeSkips(&b, "a")
	r.writeFailures(&b)
	got := b.String()
	if r.String() != "" || strings.Count(got, "\n") != linesFirst+1+linesLast ||
		!strings.HasPrefix(got, "    line 0\n") || !strings.Contains(got, "... 380 lines ...\n    line 480\n") ||
		!strings.HasSuffix(got, "line 499\n") {
		t.Errorf("got %q and\n%s", r.String(), got)
	}
}
