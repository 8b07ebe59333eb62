//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// testCase is one fault for one program.
type testCase struct {
	name string
	run  func(t *trial) error
}

// errSkip is wrapped by the error of a case that can't run here, with the reason.
var errSkip = errors.New("skipped")

func skip(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSkip, fmt.Sprintf(format, args...))
}

// skipped returns a case that is always skipped, with the reason.
func skipped(name, format string, args ...any) []*testCase {
	why := skip(format, args...)
	return []*testCase{{name, func(*trial) error { return why }}}
}

// trial is one run of a case.
type trial struct {
	*options
	dir       string // a folder of its own, empty at first
	processes []*process
	ends      []func() // functions to call at the end, the last first
	notes     []string // shown with -v, and if the case fails
}

func (t *trial) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// atEnd registers a function to call when the trial is over.
func (t *trial) atEnd(f func()) { t.ends = append(t.ends, f) }

// try runs a case once, then kills its processes and cleans up.
func (c *testCase) try(o *options) (t *trial, err error) {
	t = &trial{options: o}
	if t.dir, err = os.MkdirTemp("", "faults"); err != nil {
		return t, err
	}
	defer os.RemoveAll(t.dir)
	defer func() {
		for _, p := range t.processes {
			p.kill()
		}
		for _, f := range slices.Backward(t.ends) {
			f()
		}
	}()
	err = c.run(t)
	for _, p := range t.processes {
		if err == nil && !p.excused {
			err = p.sound()
		}
		t.note("%s said:\n%s", p.name, indent(p.said.String()))
	}
	return t, err
}

func indent(text string) string {
	const most = 4000
	if len(text) > most {
		text = text[:most/2] + "\n...\n" + text[len(text)-most/2:]
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// summary counts cases.
type summary struct {
	passed, failed int
	broken         []string
	skips          map[string]int // reasons
}

func (s *summary) add(o *summary) {
	s.passed, s.failed = s.passed+o.passed, s.failed+o.failed
	s.broken = append(s.broken, o.broken...)
	for why, n := range o.skips {
		s.skip(why, n)
	}
}

func (s *summary) skip(why string, n int) {
	if s.skips == nil {
		s.skips = map[string]int{}
	}
	s.skips[why] += n
}

func (s *summary) skipped() (n int) {
	for _, k := range s.skips {
		n += k
	}
	return n
}

func (s *summary) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.passed, s.failed, s.skipped())
}

// tell writes the reasons of skips, the cases that failed, and the last line, which sums up.
func (s *summary) tell(w io.Writer) {
	var lines []string
	for why, n := range s.skips {
		lines = append(lines, fmt.Sprintf("%7d %s", n, why))
	}
	if slices.Sort(lines); len(lines) > 0 {
		fmt.Fprintf(w, "\nskipped, with the number of cases:\n%s\n", strings.Join(lines, "\n"))
	}
	for _, name := range s.broken {
		fmt.Fprintln(w, "failed:", name)
	}
	fmt.Fprintf(w, "faults: %v\n", s)
}

// runCases runs cases, beside of them at once, and prints those that fail, with -v all.
func runCases(o *options, cases []*testCase, beside int) (sum summary) {
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan *testCase)
	for range beside {
		all.Go(func() {
			for c := range next {
				t, err := c.try(o)
				mu.Lock()
				sum.count(c, t, err)
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		next <- c
	}
	close(next)
	all.Wait()
	return sum
}

func (s *summary) count(c *testCase, t *trial, err error) {
	notes := indent(strings.Join(t.notes, "\n"))
	switch {
	case errors.Is(err, errSkip):
		s.skip(strings.TrimPrefix(err.Error(), errSkip.Error()+": "), 1)
		if t.verbose {
			fmt.Printf("SKIP %s: %v\n", c.name, err)
		}
		return
	case err == nil:
		s.passed++
		if t.verbose {
			fmt.Printf("PASS %s\n%s\n", c.name, notes)
		}
	default:
		s.failed++
		s.broken = append(s.broken, c.name)
		fmt.Printf("FAIL %s: %v\n%s\n", c.name, err, notes)
	}
}
