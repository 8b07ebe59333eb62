// Command mutants plants mistakes in a copy of the tree, and checks that the test named beside each finds it. That
// shows that the tests of a package protect what its documentation promises. A test that hangs without a message has
// not found the mistake.
//
// Mistakes in bodies of functions are planted together, so that a package's tests are built once for all of them: an
// environment variable names the one that a process has. The test must pass without it. All others, and those that no
// test has found so, are planted alone.
//
//	mutants [-run PATTERN] [-every N] [-beside N] [-kept FILE] [-judge SUITES] TABLE...
//
// With -judge the tests are on trial: each mistake is planted for each suite in a file with lines like "test" below,
// and all tests of the suite are run. The result lists how many mistakes each test and each suite finds, and how many
// of them no other does.
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
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	pattern := flag.String("run", ".", "only mistakes whose names match")
	beside := flag.Int("beside", 8, "how many are tried at once: a mistake that makes a test wait costs no processor")
	kept := flag.String("kept", "", "`file` of what came of each; those in it already are not tried again, but count")
	list := flag.Bool("list", false, "name them, and plant none")
	every := flag.Int("every", 1, "only each so many'th of the mistakes, as a sample")
	suites := flag.String("judge", "", "`file` of suites, all of whose tests are tried on each mistake")
	flag.Parse()
	want, err := regexp.Compile(*pattern)
	if err == nil && *every < 1 {
		err = errors.New("want -every of 1 or more")
	}
	if err != nil {
		fail(err)
	}
	var mutants []*mutant
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
	mutants = slices.DeleteFunc(mutants, func(m *mutant) bool { return !want.MatchString(m.name) })
	mutants = sampled(mutants, *every)
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

// sampled returns each n'th mistake.
func sampled(mutants []*mutant, n int) (some []*mutant) {
	for i := 0; i < len(mutants); i += n {
		some = append(some, mutants[i])
	}
	return some
}

// tryAll tries the mutants, beside of them at once. It prints the result of each, and appends it to the file kept,
// whose results of earlier runs count as well. It returns how many were killed.
func tryAll(ctx context.Context, mutants []*mutant, beside int, kept string) (killed int, err error) {
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
		mutants = slices.DeleteFunc(slices.Clone(mutants), func(m *mutant) bool {
			if bytes.Contains(before, []byte(m.killed())) {
				killed++
				return true
			}
			return bytes.Contains(before, []byte(m.survived()))
		})
	}
	t, err := newTrial(mutants)
	defer t.close()
	if err != nil {
		return 0, err
	}
	together := 0
	for _, m := range mutants {
		together += min(m.number, 1)
	}
	fmt.Printf("%d of %d mistakes are built together\n", together, len(mutants))
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan *mutant)
	for range beside {
		all.Go(func() {
			for m := range next {
				begun := time.Now()
				by, err := t.try(ctx, m)
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

// survived and killed return the begin of a line about a mistake, which none about another has, whose name is longer.
func (m *mutant) survived() string { return fmt.Sprintf("SURVIVED %-60s for", m.name) }
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
