// Command mutants plants mistakes in a copy of the tree, one after the other, and checks that the test named beside
// each finds it. That shows that the tests of a package protect what its documentation promises. A test that hangs
// without a message has not found the mistake.
//
//	mutants [-run PATTERN] [-beside N] [-kept FILE] [-judge SUITES] TABLE...
//
// With -judge the tests are on trial: each mistake is planted for each suite in a file with lines like "test" below,
// and all tests of the suite are run. The result lists how many mistakes each test finds, and how many of them no other
// test does.
//
// A table has an entry for each mistake:
//
//	== name of the mistake
//	file internal/handle/close.go
//	test ./sock TestClose|TestCloseElsewhere/part NAME=value -flag
//	- a line of the source, or several of which each begins so
//	+ what stands there instead; nothing, if there is no such line
//	- another place in the file
//	+ and what stands there
//
// Lines are compared without their indentation, and must be in the file exactly once.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type mutant struct {
	name, file string
	test       []string // package, pattern, then environment variables and flags for the test
	places     []place
	all        bool // report every test that finds it, not only the first
}

// place is a run of lines in the source, and the lines that replace it.
type place struct{ from, to []string }

func main() {
	pattern := flag.String("run", ".", "only mistakes whose names match")
	beside := flag.Int("beside", 4, "how many are tried at once: a mistake that makes a test wait costs no processor")
	kept := flag.String("kept", "", "`file` of what came of each; those in it already are not tried again, but count")
	list := flag.Bool("list", false, "name them, and plant none")
	suites := flag.String("judge", "", "`file` of suites, all of whose tests are tried on each mistake")
	flag.Parse()
	want, err := regexp.Compile(*pattern)
	if err != nil {
		fail(err)
	}
	var mutants []mutant
	for _, table := range flag.Args() {
		rows, err := read(table)
		if err != nil {
			fail(err)
		}
		mutants = append(mutants, rows...)
	}
	if *list {
		for _, m := range mutants {
			fmt.Printf("%-60s %s\n", m.name, strings.Join(m.test, " "))
		}
		return
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !want.MatchString(m.name) })
	if *suites != "" {
		if mutants, err = onTrial(mutants, *suites); err != nil {
			fail(err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	killed, err := tryAll(ctx, mutants, *beside, *kept)
	if err != nil {
		fail(err)
	}
	if *suites != "" {
		if err := judge(os.Stdout, *kept); err != nil {
			fail(err)
		}
		return
	}
	fmt.Printf("%d passed, %d failed\n", killed, len(mutants)-killed)
	if killed < len(mutants) || killed == 0 {
		os.Exit(1)
	}
}

// tryAll tries the mutants, beside of them at once, each in a copy of the tree. It prints the result of each, and
// appends it to the file kept, whose results of earlier runs count as well. It returns how many were killed.
func tryAll(ctx context.Context, mutants []mutant, beside int, kept string) (killed int, err error) {
	out := io.Writer(os.Stdout)
	if kept != "" {
		before, err := os.ReadFile(kept)
		if err != nil && !os.IsNotExist(err) {
			return 0, err
		}
		file, err := os.OpenFile(kept, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return 0, err
		}
		defer file.Close()
		os.Stdout.Write(before)
		out = io.MultiWriter(os.Stdout, file)
		mutants = slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
			if bytes.Contains(before, []byte(m.killed())) {
				killed++
				return true
			}
			return bytes.Contains(before, []byte(m.survived()))
		})
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan mutant)
	for range beside {
		tree, err := copyTree()
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(tree)
		all.Go(func() {
			for m := range next {
				begun := time.Now()
				by, err := m.try(tree)
				took := time.Since(begun).Round(time.Second)
				if ctx.Err() != nil {
					return // the signal has stopped the test, too: its result says nothing
				}
				mu.Lock()
				if err != nil {
					fmt.Fprintf(out, "%s %v: %v\n", m.survived(), took, err)
				} else {
					killed++
					fmt.Fprintf(out, "%s %s, %v\n", m.killed(), by, took)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		select {
		case next <- m:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return killed, ctx.Err()
}

// survived and killed return the begin of a line about a mistake.
func (m *mutant) survived() string { return "SURVIVED " + m.name + "," }
func (m *mutant) killed() string   { return fmt.Sprintf("killed   %-60s by", m.name) }

// copyTree copies the tree, without names that begin with a dot, such as .git.
func copyTree() (tree string, err error) {
	if tree, err = os.MkdirTemp("", "mutants"); err != nil {
		return "", err
	}
	roots, _ := filepath.Glob("[^.]*")
	out, err := exec.Command("cp", slices.Concat([]string{"-r"}, roots, []string{tree})...).CombinedOutput()
	if err != nil {
		os.RemoveAll(tree)
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return tree, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "mutants:", err)
	os.Exit(2)
}

// read reads a table.
func read(name string) (rows []mutant, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		key, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if key == "==" {
			rows = append(rows, mutant{name: rest})
			continue
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s:%d: no entry yet", name, n)
		}
		switch m := &rows[len(rows)-1]; key {
		case "file":
			m.file = rest
		case "test":
			m.test = strings.Fields(rest)
			for i, word := range m.test {
				if i > 1 && !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
					return nil, fmt.Errorf("%s:%d: %q is neither NAME=value nor a flag", name, n, word)
				}
			}
		case "-":
			if len(m.places) == 0 || m.last().to != nil {
				m.places = append(m.places, place{})
			}
			m.last().from = append(m.last().from, strings.TrimSpace(rest))
		case "+":
			if len(m.places) == 0 {
				return nil, fmt.Errorf("%s:%d: no line yet that is replaced", name, n)
			}
			m.last().to = append(m.last().to, rest)
		default:
			return nil, fmt.Errorf("%s:%d: %q is no line of a table", name, n, lines.Text())
		}
	}
	return rows, lines.Err()
}

// try plants the mistake, runs the test, and restores the file. It returns the first test that failed.
func (m *mutant) try(tree string) (by string, err error) {
	if len(m.places) == 0 || len(m.test) < 2 {
		return "", fmt.Errorf("the table has no line to change, or no test")
	}
	path := filepath.Join(tree, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	planted, err := m.plant(strings.Split(string(source), "\n"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(strings.Join(planted, "\n")), 0o600); err != nil {
		return "", err
	}
	defer os.WriteFile(path, source, 0o600)
	by, err = m.run(tree)
	if (errors.Is(err, errPasses) || errors.Is(err, errSkipped)) && !m.forcesDriver() && !m.all {
		by, err = m.run(tree, "RINGO_DRIVER=epoll") // go test runs on one driver, usually uring
	}
	return by, err
}

var (
	errPasses  = errors.New("passes")          // the test does not find the mistake
	errSkipped = errors.New("is skipped here") // the test did not run
)

// forcesDriver reports whether the table says on which driver the test runs.
func (m *mutant) forcesDriver() bool {
	return slices.ContainsFunc(m.test, func(word string) bool { return strings.HasPrefix(word, "RINGO_DRIVER=") })
}

// inModule returns the folder of the module that a package belongs to, and the package's path from there: some modules
// are inside the root module.
func inModule(tree, pkg string) (module, within string) {
	for at := path.Clean(pkg); at != "."; at = path.Dir(at) {
		module = filepath.Join(tree, at)
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, "." + strings.TrimPrefix(path.Clean(pkg), at)
		}
	}
	return tree, pkg
}

// run runs the test, with more variables in its environment.
func (m *mutant) run(tree string, more ...string) (by string, err error) {
	module, pkg := inModule(tree, m.test[0])
	args := []string{"test", "-count=1", "-v", "-vet=off", "-timeout", "240s",
		"-trimpath", // so that copies share what the first has built
		"-run", "^(" + strings.ReplaceAll(m.test[1], "/", ")$/^(") + ")$", pkg}
	if !m.all {
		args = append(args, "-failfast")
	}
	env := append(os.Environ(), "RINGO_TEST_PATIENCE=1m") // so that a test that hangs reports that itself
	env = append(env, more...)
	for _, word := range m.test[2:] {
		if strings.HasPrefix(word, "-") {
			args = append(args, word)
		} else {
			env = append(env, word)
		}
	}
	test := exec.Command("go", args...)
	test.Dir, test.Env = module, env
	out, err := test.CombinedOutput()
	failed := failure.FindString(string(out))
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return "", fmt.Errorf("there is no test %s", m.test[1])
	case err == nil && skips(string(out), m.test[1]):
		return "", fmt.Errorf("%s %w", m.test[1], errSkipped)
	case err == nil:
		return "", fmt.Errorf("%s %w", m.test[1], errPasses)
	case strings.Contains(string(out), "[build failed]"), strings.Contains(string(out), "[setup failed]"):
		return "", fmt.Errorf("it does not compile: %s", out)
	case strings.HasPrefix(failed, "panic: test timed out"):
		return "", fmt.Errorf("%s says nothing, and hangs", m.test[1])
	case failed == "":
		return "", fmt.Errorf("%w: %s", err, out)
	}
	if m.all {
		return strings.Join(topLevel.FindAllString(string(out), -1), " "), nil
	}
	if seed := regexp.MustCompile(`seed \d+`).FindString(string(out)); seed != "" && m.seeded() {
		failed += ", " + seed
	}
	return m.test[1] + " (" + strings.TrimSpace(failed) + ")", nil
}

// skips reports whether a test that passed did nothing, because go test -v prints only skips for it.
func skips(out, test string) bool {
	level := "\n" + strings.Repeat("    ", strings.Count(test, "/")) + "--- "
	return strings.Contains(out, level+"SKIP: ") && !strings.Contains(out, level+"PASS: ")
}

// seeded reports whether the mistake is found by exploring worlds: then the seed says how soon.
func (m *mutant) seeded() bool { return m.test[0] == "./sim" }

// last returns the place that is being read.
func (m *mutant) last() *place { return &m.places[len(m.places)-1] }

// plant replaces the lines of all places.
func (m *mutant) plant(lines []string) (planted []string, err error) {
	for i := range m.places {
		if lines, err = m.places[i].plant(lines); err != nil {
			return nil, fmt.Errorf("%s has %w", m.file, err)
		}
	}
	return lines, nil
}

func (p *place) plant(lines []string) ([]string, error) {
	at := -1
	for i := range lines {
		if i+len(p.from) > len(lines) || !same(lines[i:i+len(p.from)], p.from) {
			continue
		}
		if at >= 0 {
			return nil, fmt.Errorf("the lines more than once: %q", p.from)
		}
		at = i
	}
	if at < 0 {
		return nil, fmt.Errorf("no such lines: %q", p.from)
	}
	return slices.Concat(lines[:at], p.to, lines[at+len(p.from):]), nil
}

// failure matches the line by which a test reports that it fails, or is made to: the last is a world's watchdog.
var failure = regexp.MustCompile(`(?m)^(--- FAIL: \S+|panic: .*|fatal error: .*|sim: seed \d+: .* has left the world)`)

func same(lines, text []string) bool {
	for i := range text {
		if strings.TrimSpace(lines[i]) != text[i] {
			return false
		}
	}
	return true
}

// topLevel matches the tests that have failed, without subtests.
var topLevel = regexp.MustCompile(`(?m)^--- FAIL: [^\s/,]+`)

// onTrial returns each mistake once for each suite.
func onTrial(mutants []mutant, suites string) (all []mutant, err error) {
	text, err := os.ReadFile(suites)
	for line := range strings.Lines(string(text)) {
		test := strings.Fields(line)
		if len(test) < 2 {
			continue
		}
		for _, m := range mutants {
			m.name, m.test, m.all = strings.Join(test[:2], " ")+": "+m.name, test, true
			all = append(all, m)
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
