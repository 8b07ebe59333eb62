//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// patience bounds anything that has no reason to wait. It is long since the machine may have other work.
const patience = 60 * time.Second

// options are the flags.
type options struct {
	short, verbose bool
	dir            string // with the programs
}

// groups are the groups of cases. They skip what can't be done here.
var groups = []struct {
	name string
	make func(o *options, want *regexp.Regexp) ([]*testCase, error)
}{
	{"inject", injectCases},
	{"limit", limitCases},
	{"memory", memoryCases},
	{"full", fullCases},
	{"eio", eioCases},
	{"stop", stopCases},
	{"clock", clockCases},
	{"kill", killCases},
}

func main() {
	o := new(options)
	flag.BoolVar(&o.short, "short", false, "what every change can be asked for: fewer calls, and less of each")
	flag.BoolVar(&o.verbose, "v", false, "show each case, with what the program said")
	pattern := flag.String("run", "", "only cases whose names match the `pattern`, which begin with their group")
	list := flag.Bool("list", false, "name the cases, and run none")
	churns := flag.Duration("churn", 0, "in the place of cases, start servers anew under load for so `long`")
	round := flag.Duration("round", time.Minute, "`time` from one start to the next of -churn")
	beside := flag.Int("beside", 2*runtime.NumCPU(), "`number` of cases that run at once: they mostly wait")
	flag.Parse()
	want, err := regexp.Compile(*pattern)
	if err != nil || flag.NArg() != 1 || *beside < 1 || *round <= 0 {
		fmt.Fprintln(os.Stderr, "usage: faults [-short] [-run PATTERN] [-list] [-beside N] [-v] DIR, or "+
			"faults -churn TIME [-round TIME] DIR", err)
		os.Exit(2)
	}
	if o.dir, err = filepath.Abs(flag.Arg(0)); err != nil {
		fail(err)
	}
	neutral()
	if *churns > 0 {
		if !runChurn(o, newChurn(os.Stdout, *round, int(*churns / *round))) {
			os.Exit(1)
		}
		return
	}
	var sum summary
	for _, g := range groups {
		if !mayMatch(*pattern, g.name) {
			continue
		}
		cases, err := g.make(o, want)
		if err != nil {
			fail(fmt.Errorf("%s: %w", g.name, err))
		}
		cases = slices.DeleteFunc(cases, func(c *testCase) bool { return !want.MatchString(c.name) })
		if *list {
			for _, c := range cases {
				fmt.Println(c.name)
			}
			continue
		}
		begin := time.Now()
		s := runCases(o, cases, *beside)
		fmt.Printf("== %s: %v in %.0f s\n", g.name, &s, time.Since(begin).Seconds())
		sum.add(&s)
	}
	if *list {
		return
	}
	sum.tell(os.Stdout)
	if sum.failed > 0 || sum.passed == 0 {
		os.Exit(1)
	}
}

// mayMatch reports whether a pattern may match cases of a group. A pattern such as inject/echo names one group, so that
// the cases of the others need not be made.
func mayMatch(pattern, group string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(pattern, "^"), "/")
	if regexp.QuoteMeta(first) != first {
		return true
	}
	for _, g := range groups {
		if g.name == first {
			return group == first
		}
	}
	return true
}

// neutral unsets all RINGO_ variables of the environment, since each case sets those that it needs.
func neutral() {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "RINGO_") {
			os.Unsetenv(name)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "faults:", err)
	os.Exit(2)
}
