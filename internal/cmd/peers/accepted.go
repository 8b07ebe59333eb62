package main

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// An acceptance is a known difference that stays, with its reason. Its pattern is one of path.Match for the name of a
// test, with / before subtests; or it is a name and /..., for the test and all of its subtests.
type acceptance struct {
	variant         string // of the suite, as callersOf names it; "": all
	pattern, reason string
	used            bool
}

// readAccepted returns the acceptances of one suite. A line has the suite's name, with /variant after it if there is
// one, the test, and the reason.
func readAccepted(name, suite string) (all []acceptance, err error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) < 3 {
			return nil, fmt.Errorf("%s:%d: want a suite, a test and a reason", name, n)
		}
		if of, variant, _ := strings.Cut(f[0], "/"); of == suite {
			all = append(all, acceptance{variant: variant, pattern: f[1], reason: f[2]})
		}
	}
	return all, nil
}

// accept returns the reason for which a difference is accepted.
func accept(all []acceptance, driver, test string) (reason string, ok bool) {
	for i := range all {
		a := &all[i]
		if a.variant != "" && a.variant != callersOf(driver) {
			continue
		}
		begin, tree := strings.CutSuffix(a.pattern, "/...")
		match, _ := path.Match(a.pattern, test)
		if match || tree && (test == begin || strings.HasPrefix(test, begin+"/")) {
			a.used = true
			return a.reason, true
		}
	}
	return "", false
}
