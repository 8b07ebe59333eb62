package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// onTrial returns each mistake once for each suite.
func onTrial(mutants []*mutant, suites string) (all []*mutant, err error) {
	text, err := os.ReadFile(suites)
	for line := range strings.Lines(string(text)) {
		test := strings.Fields(line)
		if len(test) < 2 {
			continue
		}
		for _, m := range mutants {
			tried := *m
			tried.name, tried.test, tried.all = strings.Join(test[:2], " ")+": "+m.name, test, true
			all = append(all, &tried)
		}
	}
	return all, err
}

// judge prints, from the results in kept, how many mistakes each test finds, and how many that no other test does.
func judge(w io.Writer, kept string) error {
	text, err := os.ReadFile(kept)
	if err != nil {
		return fmt.Errorf("-judge needs -kept: %w", err)
	}
	finders := map[string][]string{} // tests by mistake
	for line := range strings.Lines(string(text)) {
		head, killed := strings.CutPrefix(line, "killed")
		i := strings.LastIndex(head, " by ")
		if !killed || i < 0 {
			continue
		}
		suite, name, _ := strings.Cut(head[:i], ": ")
		by := head[i:]
		name, pkg := strings.TrimSpace(name), strings.Fields(suite)[0]
		for _, test := range topLevel.FindAllString(strings.ReplaceAll(by, "--- FAIL", "\n--- FAIL"), -1) {
			finders[name] = append(finders[name], pkg+" "+strings.TrimPrefix(test, "--- FAIL: "))
		}
	}
	found, alone := map[string]int{}, map[string]int{}
	for _, tests := range finders {
		for _, test := range tests {
			if found[test]++; len(tests) == 1 {
				alone[test]++
			}
		}
	}
	fmt.Fprintf(w, "%-60s %6s %6s\n", "test", "finds", "alone")
	for _, test := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(w, "%-60s %6d %6d\n", test, found[test], alone[test])
	}
	return nil
}
