//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// beside measures how cold reads of a file change the latency of an echo on the same loop. The load is open-loop, at
// half the rate that the server can serve, with the reads and without. It measures package net too, with goroutines
// that read by package os.
func beside(ctx context.Context, o *options) error {
	o.seconds = 2
	reads := o.Int("reads", 5000, "4 KiB reads a second")
	file := o.String("file", "", "the `file` that they read; default: 2 GiB in bench/out, made if it is not there")
	driver := o.driver()
	o.hasShort(0.2, 0.05)
	var cells []contest.Cell
	var pairs []pair
	if err := o.parse(func() error {
		for _, load := range strings.Fields(cmp.Or(strings.Join(o.Args(), " "), "50x64")) {
			for _, where := range []struct {
				alone, with, args string
				asked             asked
			}{
				{"echo-" + *driver + "-conn", "reads-" + *driver, "-handler conn -on " + *driver, atMost("p99", 1.2)},
				{"echo-net", "reads-net", "-on net", atMost("p99", 0)},
			} {
				c, err := contest.Parse(contest.Kind(where.alone), "paced:"+load)
				if err != nil {
					return err
				}
				c.Share, c.Peak, c.Servers = 0.5, where.alone, []string{where.alone, where.with}
				c.Command = map[string]contest.Command{where.with: {Argv: strings.Fields(fmt.Sprintf(
					"{bin}/serve -program echo -listen 127.0.0.1:{port} -size 4096 -file {file} -reads %d %s", *reads,
					where.args))}}
				cells = append(cells, c)
				pairs = append(pairs, pair{c.Name(), where.with, where.alone, where.asked})
			}
		}
		return nil
	}); err != nil {
		return err
	}
	out := filepath.Join(o.bench, "out")
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	o.setUp = func(r *rig.Rig) {
		if r.File, r.FileMiB = *file, 32; !o.short {
			r.File, r.FileMiB = cmp.Or(*file, filepath.Join(out, "cold")), 2048
		}
	}
	return o.judgedLoads(ctx, cells, pairs)
}
