package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A tally counts tests.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(u tally) {
	t.passed, t.failed, t.skipped = t.passed+u.passed, t.failed+u.failed, t.skipped+u.skipped
}

// slowAfter is how long a test may take before it is listed as slow, so that the plan may leave it out.
const slowAfter = 5 * time.Second

// A report is the output of a test binary with -test.v, by test. The output of another program is one entry without a
// name.
type report struct {
	tally
	order []string
	lines map[string][]string
	ended map[string]string // PASS, FAIL or SKIP
	slow  []string          // whole tests that took long
}

// parse parses the output. Lines after one that names a test belong to that test.
func parse(output []byte) *report {
	r := &report{order: []string{""}, lines: map[string][]string{}, ended: map[string]string{}}
	current := ""
	for raw := range bytes.Lines(output) {
		line := strings.TrimRight(string(raw), "\n")
		words := strings.Fields(line)
		switch {
		case len(words) >= 3 && words[0] == "===":
			if current = words[2]; words[1] == "RUN" {
				r.order = append(r.order, current)
			}
		case len(words) >= 3 && words[0] == "---" && strings.HasSuffix(words[1], ":"):
			r.end(words[2], strings.TrimSuffix(words[1], ":"))
			current = ""
			if took, err := time.ParseDuration(strings.Trim(words[len(words)-1], "()")); err == nil &&
				took > slowAfter && raw[0] == '-' {
				r.slow = append(r.slow, fmt.Sprintf("%s %.0f s", words[2], took.Seconds()))
			}
		default:
			r.lines[current] = append(r.lines[current], line)
		}
	}
	return r
}

func (r *report) end(test, result string) {
	r.ended[test] = result
	switch result {
	case "PASS":
		r.passed++
	case "FAIL":
		r.failed++
	case "SKIP":
		r.skipped++
	}
}

// String is empty if there were no tests.
func (r *report) String() string {
	if r.tally == (tally{}) {
		return ""
	}
	return fmt.Sprintf(" (tests: %d passed, %d failed, %d skipped)", r.passed, r.failed, r.skipped)
}

// writeSkips prints what was skipped, a line for each reason.
func (r *report) writeSkips(w io.Writer, step string) {
	tests := map[string][]string{}
	for _, name := range r.order {
		if r.ended[name] == "SKIP" {
			reason := "no reason given"
			if lines := r.lines[name]; len(lines) > 0 {
				_, reason, _ = strings.Cut(strings.TrimSpace(lines[len(lines)-1]), ": ") // without file and line
			}
			tests[reason] = append(tests[reason], name)
		}
	}
	reasons := make([]string, 0, len(tests))
	for reason := range tests {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(w, "SKIP %s: %s", step, tests[reason][0])
		if more := len(tests[reason]) - 1; more > 0 {
			fmt.Fprintf(w, " and %d more", more)
		}
		fmt.Fprintf(w, ": %s\n", reason)
	}
}

// How many lines of one test are shown, from the begin and from the end: a dump of goroutines begins with what matters.
const linesFirst, linesLast = 100, 20

// writeFailures prints the output of tests that failed or did not end, and the output that belongs to no test.
func (r *report) writeFailures(w io.Writer) {
	for _, name := range r.order {
		lines, result := r.lines[name], r.ended[name]
		if name != "" {
			if result == "PASS" || result == "SKIP" || result == "FAIL" && len(lines) == 0 {
				continue
			}
			if result == "" {
				result = "did not end"
			}
			fmt.Fprintf(w, "    %s: %s\n", name, result)
		}
		if cut := len(lines) - linesFirst - linesLast; cut > 0 {
			lines = slices.Concat(lines[:linesFirst], []string{fmt.Sprintf("... %d lines ...", cut)},
				lines[len(lines)-linesLast:])
		}
		for _, line := range lines {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}
