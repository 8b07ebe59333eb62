// Command tally reads the output of go test -json and prints a shorter one: a line per package, the output of what
// failed, and each skip with its reason. It adds its counts to a file, so that a script can sum up several runs.
//
//	go test -json ./... | tally -sum FILE -failed FILE
//
// It exits with 1 if a test or package failed, if a test was skipped without a reason, or if there was no test.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	sum := flag.String("sum", "",
		"`file` with the counts so far: passed and skipped, and a line for each reason of a skip")
	failed := flag.String("failed", "", "`file` for what failed, a line each: the package, and the test if it was one")
	flag.Parse()
	t := tally{out: os.Stdout, tests: map[name]*test{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	t.none()
	if *sum != "" {
		if err := t.add(*sum); err != nil {
			fmt.Fprintln(os.Stderr, "tally:", err)
			os.Exit(2)
		}
	}
	if len(t.failed) == 0 {
		return
	}
	if *failed != "" {
		if err := os.WriteFile(*failed, []byte(strings.Join(t.failed, "\n")+"\n"), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "tally:", err)
		}
	}
	os.Exit(1)
}

// event is one line of go test -json, see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64

	ImportPath string // of build output
}

type name struct{ pkg, test string }

func compare(a, b name) int { return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.test, b.test)) }

// test is what is known about a running test.
type test struct {
	output []string
	parent bool // it has subtests, so it does not count itself
}

type tally struct {
	out   io.Writer
	tests map[name]*test

	passed, skipped int
	failed          []string // tests and packages, and skips without a reason
	reasons         []string
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(t.out, line) // output of the go command itself
			} else {
				t.event(&e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// none fails if no test was run, as when a pattern of names has been left behind by the tests.
func (t *tally) none() {
	if t.passed+t.skipped == 0 && len(t.failed) == 0 {
		fmt.Fprintln(t.out, "--- FAIL: no test was run")
		t.failed = append(t.failed, "no test was run")
	}
}

func (t *tally) event(e *event) {
	at := name{e.Package, e.Test}
	switch e.Action {
	case "run":
		t.tests[at] = new(test)
		if parent, _, ok := cutLast(e.Test); ok {
			if p := t.tests[name{e.Package, parent}]; p != nil {
				p.parent = true
			}
		}
	case "output":
		if o := t.at(at); !isFrame(e.Output) {
			o.output = append(o.output, e.Output)
		}
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		t.end(e, t.at(at))
		delete(t.tests, at)
	}
}

func (t *tally) at(n name) *test {
	if t.tests[n] == nil {
		t.tests[n] = new(test)
	}
	return t.tests[n]
}

// end counts a test that has ended, or prints the line of a package that has.
func (t *tally) end(e *event, o *test) {
	if e.Test == "" {
		switch e.Action {
		case "fail":
			t.failed = append(t.failed, e.Package)
			// A crash ends the package in the middle of tests. Its output may be part of any test's, also of one with
			// subtests.
			for _, n := range slices.SortedFunc(maps.Keys(t.tests), compare) {
				left := t.tests[n]
				if n.pkg == e.Package && n.test != "" && (!left.parent || len(left.output) > 0) {
					fmt.Fprintf(t.out, "--- UNFINISHED: %s %s\n%s", n.pkg, n.test, strings.Join(left.output, ""))
				}
			}
			fmt.Fprint(t.out, strings.Join(o.output, ""))
		case "pass":
			fmt.Fprintf(t.out, "ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
		}
		return
	}
	switch e.Action {
	case "pass":
		if !o.parent {
			t.passed++
		}
	case "fail":
		if !o.parent {
			t.failed = append(t.failed, e.Package+" "+e.Test)
		}
		fmt.Fprintf(t.out, "--- FAIL: %s %s\n%s", e.Package, e.Test, strings.Join(o.output, ""))
	case "skip":
		t.skipped++
		reason := reasonOf(o.output)
		if reason == "" {
			t.failed = append(t.failed, e.Package+" "+e.Test)
			fmt.Fprintf(t.out, "--- SKIP without a reason: %s %s\n", e.Package, e.Test)
		}
		t.reasons = append(t.reasons, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason))
	}
}

// isFrame reports whether a line is go test's own, not the test's.
func isFrame(s string) bool {
	s = strings.TrimLeft(s, " ")
	for _, p := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "--- PASS: ",
		"--- FAIL: ", "--- SKIP: "} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// reasonOf returns the last line that a skipped test printed, without file and line number.
func reasonOf(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok = strings.Cut(text, ": "); ok {
				line = text
			}
		}
		if line != "" {
			return line
		}
	}
	return ""
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// add adds the counts to those in a file.
func (t *tally) add(file string) error {
	var passed, skipped int
	var reasons string
	if old, err := os.ReadFile(file); err == nil {
		counts, rest, _ := strings.Cut(string(old), "\n")
		if _, err := fmt.Sscan(counts, &passed, &skipped); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		reasons = rest
	} else if !os.IsNotExist(err) {
		return err
	}
	for _, r := range t.reasons {
		reasons += r + "\n"
	}
	counts := fmt.Sprintf("%d %d\n", passed+t.passed, skipped+t.skipped)
	return os.WriteFile(file, []byte(counts+reasons), 0o644)
}
