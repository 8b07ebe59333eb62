//go:build linux

// Ring compares package uring with liburing, in C: operations a second of processor time, user's and kernel's. A round
// is one run of each side, in a process of its own, the sides in turns; a line of the table is the median of the
// rounds' ratios, with the quartiles, and the medians of both sides.
//
//	cd bench && go run ./cmd/ring [-rounds 11] [-short] [-keep-p] [WORK …]
//
// The C side is built with gcc and the system's liburing, or the one in the folder that LIBURING names. The file to
// read lies in -dir. Exit code 1: a run failed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// works are what both sides can do, with the operations of a run.
var works = []struct {
	name string
	ops  int
}{
	{"nop", 4_000_000}, {"nop-1", 1_000_000}, {"cached", 600_000}, {"direct-32", 60_000}, {"direct-128", 60_000},
	{"sockets", 1_000_000},
}

func main() {
	rounds := flag.Int("rounds", 11, "how often each side runs")
	short := flag.Bool("short", false, "one round of a moment: shows that all runs and measures nothing")
	dir := flag.String("dir", os.TempDir(), "where the file to read lies")
	side := flag.String("work", "", "do this work here, as one side does")
	ops := flag.Int("ops", 0, "so many of its operations")
	file := flag.String("file", "", "on this file")
	keepP := flag.Bool("keep-p", false, "uring.Config.KeepP: the scheduler is not told of waits")
	flag.Parse()
	var err error
	if *side != "" {
		err = work(*side, *ops, *file, *keepP)
	} else {
		err = compare(*rounds, *short, *keepP, *dir, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ring:", err)
		os.Exit(1)
	}
}

func compare(rounds int, short, keepP bool, dir string, names []string) error {
	tmp, err := os.MkdirTemp(dir, "ring")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	c := filepath.Join(tmp, "liburing")
	if err := build(c); err != nil {
		return err
	}
	file := filepath.Join(tmp, "file")
	if err := os.WriteFile(file, make([]byte, 64<<20), 0o600); err != nil {
		return err
	}
	if err := exec.Command("sync", file).Run(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("%-12s %10s %10s   %s\n", "work", "uring", "liburing", "ratio (quartiles)   operations per ms of CPU")
	for _, w := range works {
		if len(names) > 0 && !slices.Contains(names, w.name) {
			continue
		}
		n, ops := rounds, w.ops
		if short {
			n, ops = 1, w.ops/100
		}
		var ours, theirs, ratios []float64
		for i := range n {
			a := func() (float64, error) {
				return rate(self, "-work", w.name, "-ops", strconv.Itoa(ops), "-file", file,
					"-keep-p="+strconv.FormatBool(keepP))
			}
			b := func() (float64, error) { return rate(c, w.name, strconv.Itoa(ops), file) }
			x, y, err := inTurns(i, a, b)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			ours, theirs, ratios = append(ours, x), append(theirs, y), append(ratios, x/y)
		}
		fmt.Printf("%-12s %10.0f %10.0f   %.3f (%.3f to %.3f)\n", w.name, quantile(ours, 0.5), quantile(theirs, 0.5),
			quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
	}
	return nil
}

// inTurns runs both, the one first in even rounds, the other in odd ones.
func inTurns(round int, a, b func() (float64, error)) (x, y float64, err error) {
	var e1, e2 error
	if round%2 == 0 {
		x, e1 = a()
		y, e2 = b()
	} else {
		y, e2 = b()
		x, e1 = a()
	}
	return x, y, errors.Join(e1, e2)
}

// rate runs a side and returns its operations per millisecond of processor time.
func rate(command string, args ...string) (float64, error) {
	cmd := exec.Command(command, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", command, strings.Join(args, " "), err)
	}
	var ops, seconds float64
	if _, err := fmt.Sscan(string(out), &ops, &seconds); err != nil || seconds == 0 {
		return 0, fmt.Errorf("%s says %q", command, out)
	}
	return ops / seconds / 1e3, nil
}

func build(c string) error {
	args := []string{"-O2", "-Wall", "-o", c, filepath.Join("cmd", "ring", "c", "liburing.c")}
	if dir := os.Getenv("LIBURING"); dir != "" {
		args = append(args, "-I"+filepath.Join(dir, "src", "include"), filepath.Join(dir, "src", "liburing.a"))
	} else {
		args = append(args, "-luring")
	}
	out, err := exec.Command("gcc", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the C side (apt-get install gcc liburing-dev): %w\n%s", err, out)
	}
	return nil
}

// quantile returns the value below which this part of the list lies.
func quantile(list []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
