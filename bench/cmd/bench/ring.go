//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// ringWorks are the works that both sides can do, with the operations of a run.
var ringWorks = []struct {
	name string
	ops  int
}{
	{"nop", 4_000_000}, {"nop-1", 1_000_000}, {"cached", 600_000}, {"direct-32", 60_000}, {"direct-128", 60_000},
	{"sockets", 1_000_000},
}

// perCPU is the unit: operations per millisecond of CPU time.
const perCPU = "ops/ms"

// ring measures package uring beside liburing, in C: operations per second of CPU time, user's and kernel's. The C
// side is built by gcc with the system's liburing, or with the one in the folder that LIBURING names.
func ring(ctx context.Context, o *options) error {
	o.loads = false
	keepP := o.Bool("keep-p", false, "uring.Config.KeepP: the scheduler is not told of waits")
	o.hasShort(0, 0)
	var cells []contest.Cell
	if err := o.parse(func() (err error) {
		cells, err = ringCells(o.Args(), o.short, *keepP)
		return err
	}); err != nil {
		return err
	}
	if o.from == "" {
		if err := buildLiburing(ctx, o.bench); err != nil {
			return err
		}
	}
	o.setUp = func(r *rig.Rig) { r.FileMiB = 64 }
	var pairs []pair
	for _, c := range cells {
		pairs = append(pairs, pair{c.Load, "uring", "liburing", atLeast(perCPU, 0)})
	}
	head := []string{"work, " + perCPU, "uring", "liburing"}
	return o.judged(ctx, cells, pairs, head, func(p *pair, results []*contest.Result) ([]string, string) {
		r := p.result(results)
		return []string{p.cell, number("%.0f", r.Median(p.server, p.of)), number("%.0f", r.Median(p.base, p.of))}, ""
	})
}

func ringCells(names []string, short, keepP bool) (cells []contest.Cell, err error) {
	for _, w := range ringWorks {
		if len(names) > 0 && !slices.Contains(names, w.name) {
			continue
		}
		if short {
			w.ops /= 100
		}
		ops := strconv.Itoa(w.ops)
		cells = append(cells, contest.Cell{Load: w.name, Servers: []string{"uring", "liburing"},
			Command: map[string]contest.Command{
				"uring": {Argv: []string{"{bin}/ring", "-work", w.name, "-ops", ops, "-file", "{file}",
					fmt.Sprint("-keep-p=", keepP)}, Figures: parseRing},
				"liburing": {Argv: []string{"{bin}/liburing", w.name, ops, "{file}"}, Figures: parseRing},
			}})
	}
	if len(cells) < len(names) {
		return nil, fmt.Errorf("%q: there are %v", names, ringWorks)
	}
	return cells, nil
}

// parseRing parses what both sides print: operations, and seconds of CPU time.
func parseRing(output string) map[string]float64 {
	var ops, seconds float64
	if _, err := fmt.Sscan(output, &ops, &seconds); err != nil || seconds == 0 {
		return nil
	}
	return map[string]float64{perCPU: ops / seconds / 1e3}
}

func buildLiburing(ctx context.Context, bench string) error {
	args := []string{"-O2", "-Wall", "-o", filepath.Join(bench, "bin", "liburing"),
		filepath.Join(bench, "cmd", "ring", "c", "liburing.c")}
	if dir := os.Getenv("LIBURING"); dir != "" {
		args = append(args, "-I"+filepath.Join(dir, "src", "include"), filepath.Join(dir, "src", "liburing.a"))
	} else {
		args = append(args, "-luring")
	}
	if err := os.MkdirAll(filepath.Join(bench, "bin"), 0o777); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the C side (apt-get install gcc liburing-dev): %w\n%s", err, out)
	}
	return nil
}
