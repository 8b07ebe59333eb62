package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A trial tries mistakes: those of its fold by tests that are built once, and the others each in a tree of its own.
type trial struct {
	fold  *fold
	dir   string // the tests that are built
	mu    sync.Mutex
	built map[string]func() (string, error) // by what is built
	clean map[string]func() (string, error) // what a test says of the fold without a mistake, by how it is run
}

func newTrial(mutants []*mutant) (t *trial, err error) {
	t = &trial{built: map[string]func() (string, error){}, clean: map[string]func() (string, error){}}
	if t.dir, err = os.MkdirTemp("", "mutants-tests"); err != nil {
		return t, err
	}
	t.fold, err = foldAll(mutants)
	return t, err
}

func (t *trial) close() {
	os.RemoveAll(t.dir)
	if t.fold != nil {
		os.RemoveAll(t.fold.tree)
	}
}

// try tries a mistake. It returns the first test that failed. One that is not found in the fold may just do nothing
// there, as in a program that a test starts without its own environment.
func (t *trial) try(ctx context.Context, m *mutant) (by string, err error) {
	if len(m.places) == 0 || len(m.test) < 2 {
		return "", fmt.Errorf("the table has no line to change, or no test")
	}
	if m.number != 0 {
		if by, err = t.tryFolded(ctx, m); err == nil || m.all && errors.Is(err, errPasses) {
			return by, err
		}
	}
	return m.tryAlone(ctx)
}

func (t *trial) tryFolded(ctx context.Context, m *mutant) (by string, err error) {
	binary, err := t.once(t.built, strings.Join(append(m.buildFlags(), m.test[0]), " "), func() (string, error) {
		out, err := os.MkdirTemp(t.dir, "")
		if err != nil {
			return "", err
		}
		out = filepath.Join(out, path.Base(m.test[0])+".test")
		return out, m.build(t.fold.tree, out)
	})
	if err != nil {
		return "", err
	}
	return m.onDrivers(func(more ...string) (string, error) {
		by, err := m.run(ctx, t.fold.tree, binary, append(more, numberEnv+"="+strconv.Itoa(m.number))...)
		if err != nil {
			return "", err
		}
		how := fmt.Sprint(m.test, more, m.all)
		without, err := t.once(t.clean, how, func() (string, error) { return m.run(ctx, t.fold.tree, binary, more...) })
		switch {
		case errors.Is(err, errPasses):
			return by, nil
		case err != nil || !m.all:
			return "", fmt.Errorf("%s fails without it: %w", m.test[1], err)
		}
		tests := slices.DeleteFunc(strings.Split(by, failedSep), func(test string) bool {
			return slices.Contains(strings.Split(without, failedSep), test)
		})
		if len(tests) == 0 {
			return "", fmt.Errorf("%s %w", m.test[1], errPasses)
		}
		return strings.Join(tests, failedSep), nil
	})
}

// once returns what f returned for the key when it was called first.
func (t *trial) once(of map[string]func() (string, error), key string, f func() (string, error)) (string, error) {
	t.mu.Lock()
	if of[key] == nil {
		of[key] = sync.OnceValues(f)
	}
	f = of[key]
	t.mu.Unlock()
	return f()
}

// tryAlone plants the mistake in a copy of the tree.
func (m *mutant) tryAlone(ctx context.Context) (by string, err error) {
	tree, err := copyTree()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
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
	binary := filepath.Join(tree, ".test")
	if err := m.build(tree, binary); err != nil {
		return "", err
	}
	return m.onDrivers(func(more ...string) (string, error) { return m.run(ctx, tree, binary, more...) })
}

// onDrivers runs the test, and once more on epoll if it finds nothing: a process runs on one driver, usually uring.
func (m *mutant) onDrivers(run func(more ...string) (string, error)) (by string, err error) {
	by, err = run()
	if (errors.Is(err, errPasses) || errors.Is(err, errSkipped)) && !m.forcesDriver() && !m.all {
		by, err = run("RINGO_DRIVER=epoll")
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

// buildFlags returns the flags in the table that are for the compiler.
func (m *mutant) buildFlags() (flags []string) {
	for _, word := range m.test[2:] {
		if word == "-race" || strings.HasPrefix(word, "-tags=") {
			flags = append(flags, word)
		}
	}
	return flags
}

// build builds the test.
func (m *mutant) build(tree, binary string) error {
	module, pkg := inModule(tree, m.test[0])
	// Without paths, copies of the tree share what the first has built.
	args := []string{"test", "-c", "-vet=off", "-trimpath", "-o", binary}
	build := exec.Command("go", slices.Concat(args, m.buildFlags(), []string{pkg})...)
	build.Dir, build.Env = module, m.env()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not compile: %s", out)
	}
	return nil
}

// env returns the environment of the test.
func (m *mutant) env(more ...string) []string {
	env := append(os.Environ(), "RINGO_TEST_PATIENCE=30s") // so that a test that hangs reports that itself
	env = append(env, more...)
	for _, word := range m.test[2:] {
		if !strings.HasPrefix(word, "-") {
			env = append(env, word)
		}
	}
	return env
}

// run runs the test, with more variables in its environment.
func (m *mutant) run(ctx context.Context, tree, binary string, more ...string) (by string, err error) {
	const timeout = 240 * time.Second
	args := []string{"-test.paniconexit0", "-test.v", "-test.timeout", timeout.String(),
		"-test.run", "^(" + strings.ReplaceAll(m.test[1], "/", ")$/^(") + ")$"}
	if !m.all {
		args = append(args, "-test.failfast")
	}
	for _, word := range m.test[2:] {
		if strings.HasPrefix(word, "-") && !slices.Contains(m.buildFlags(), word) {
			args = append(args, strings.Replace(word, "-timeout=", "-test.timeout=", 1))
		}
	}
	// A process that the test leaves behind may hold the output open, which a file does not wait for.
	said, err := os.CreateTemp("", "mutants-said")
	if err != nil {
		return "", err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	ctx, stop := context.WithTimeout(ctx, timeout+time.Minute)
	defer stop()
	test := exec.CommandContext(ctx, binary, args...)
	test.Dir, test.Env, test.Stdout, test.Stderr = filepath.Join(tree, m.test[0]), m.env(more...), said, said
	defer inGroup(test)() // a program with a mistake may not end by itself
	runErr := test.Run()
	text, err := os.ReadFile(said.Name())
	if err != nil {
		return "", err
	}
	return m.verdict(string(text), runErr)
}

// verdict returns the first test that failed, by what the process wrote and how it ended.
func (m *mutant) verdict(out string, ended error) (by string, err error) {
	failed := failure.FindString(out)
	switch {
	case ended == nil && strings.Contains(out, "no tests to run"):
		return "", fmt.Errorf("there is no test %s", m.test[1])
	case ended == nil && skips(out, m.test[1]):
		return "", fmt.Errorf("%s %w", m.test[1], errSkipped)
	case ended == nil:
		return "", fmt.Errorf("%s %w", m.test[1], errPasses)
	case strings.HasPrefix(failed, "panic: test timed out"):
		return "", fmt.Errorf("%s says nothing, and hangs", m.test[1])
	case failed == "":
		return "", fmt.Errorf("%w: %s", ended, out)
	}
	if m.all {
		return strings.Join(topLevel.FindAllString(out, -1), failedSep), nil
	}
	if seed := regexp.MustCompile(`seed \d+`).FindString(out); seed != "" && m.seeded() {
		failed += ", " + seed
	}
	return m.test[1] + " (" + strings.TrimSpace(failed) + ")", nil
}

// failedSep stands between the tests that failed.
const failedSep = ", "

// skips reports whether a test that passed did nothing, because go test -v prints only skips for it.
func skips(out, test string) bool {
	level := "\n" + strings.Repeat("    ", strings.Count(test, "/")) + "--- "
	return strings.Contains(out, level+"SKIP: ") && !strings.Contains(out, level+"PASS: ")
}

// seeded reports whether the mistake is found by exploring worlds: then the seed says how soon.
func (m *mutant) seeded() bool { return m.test[0] == "./sim" }

// failure matches the line by which a test reports that it fails, or is made to: the last is a world's watchdog.
var failure = regexp.MustCompile(`(?m)^(--- FAIL: \S+|panic: .*|fatal error: .*|sim: seed \d+: .* has left the world)`)

// topLevel matches the tests that have failed, without subtests.
var topLevel = regexp.MustCompile(`(?m)^--- FAIL: [^\s/,]+`)
