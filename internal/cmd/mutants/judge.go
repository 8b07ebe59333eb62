package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// onTrial returns each mistake once for each suite whose tests have its file in them.
func onTrial(mutants []*mutant, suites string) (all []*mutant, err error) {
	text, err := os.ReadFile(suites)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		test := strings.Fields(line)
		if len(test) < 2 {
			continue
		}
		within, err := folders(test[0])
		if err != nil {
			return nil, err
		}
		for _, m := range mutants {
			if path.Ext(m.file) == ".go" && !within[path.Dir(m.file)] {
				continue
			}
			tried := *m
			tried.name, tried.test, tried.all = strings.Join(test[:2], " ")+": "+m.name, test, true
			all = append(all, &tried)
		}
	}
	return all, nil
}

// folders returns the folders of this tree whose packages are in a package's tests.
func folders(pkg string) (map[string]bool, error) {
	module, within := inModule(".", pkg)
	list := exec.Command("go", "list", "-test", "-deps", "-f", "{{.Dir}}", within)
	list.Dir = module
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if dir, err := filepath.Rel(root, strings.TrimSpace(line)); err == nil && filepath.IsLocal(dir) {
			found[filepath.ToSlash(dir)] = true
		}
	}
	return found, nil
}

// judge prints, from the results in kept, how many mistakes each test and each suite finds, and how many that no other
// does.
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
		tests := topLevel.FindAllString(strings.ReplaceAll(by, "--- FAIL", "\n--- FAIL"), -1)
		if len(tests) == 0 { // the process ended
			tests = []string{"panic"}
		}
		for _, test := range tests {
			finders[name] = append(finders[name], pkg+" "+strings.TrimPrefix(test, "--- FAIL: "))
		}
	}
	printFinders(w, "test", finders)
	for _, tests := range finders {
		for i, test := range tests {
			tests[i], _, _ = strings.Cut(test, " ")
		}
	}
	fmt.Fprintln(w)
	printFinders(w, "suite", finders)
	return nil
}

// printFinders prints who finds how many mistakes, given the finders of each.
func printFinders(w io.Writer, who string, finders map[string][]string) {
	found, alone := map[string]int{}, map[string]int{}
	for _, all := range finders {
		all = slices.Compact(slices.Sorted(slices.Values(all)))
		for _, finder := range all {
			if found[finder]++; len(all) == 1 {
				alone[finder]++
			}
		}
	}
	fmt.Fprintf(w, "%-60s %6s %6s\n", who, "finds", "alone")
	for _, finder := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(w, "%-60s %6d %6d\n", finder, found[finder], alone[finder])
	}
}
