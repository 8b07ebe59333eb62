//go:build linux

package main

import (
	"context"
	"fmt"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// fileBounds are the bounds of ringo serve beside others, by a file's size in bytes.
var fileBounds = map[string]map[int]asked{
	"fileserver": {1 << 10: atLeast("", 2), 64 << 10: atLeast("", 1.2), 10 << 20: atLeast("", 1)},
	"nginx":      {1 << 10: atLeast("", 1), 64 << 10: atLeast("", 1)},
}

// files measures what a request for a file in memory costs on ringo serve, on nginx and on http.FileServer. ringo and
// nginx have the same settings: one loop or worker, and a cache of 1000 open files that are checked after a second.
func files(ctx context.Context, o *options) error {
	driver := o.driver()
	receive := o.Int("receive", 0,
		"the load's receive buffers, in `bytes`; 0: as the system tunes them, which decides who transmits")
	logs := o.Bool("logs", false, "with access logs, to files, written each second or 32 KiB; FileServer has none")
	o.hasShort(0.5, 0.02)
	loads := []string{"50x1024", "50x65536", "8x10485760"}
	var cells []contest.Cell
	if err := o.parse(func() error {
		if o.NArg() > 0 {
			loads = o.Args()
		}
		for i := range loads {
			loads[i] = "http:" + loads[i]
		}
		return addCells(&cells, contest.Files, loads)
	}); err != nil {
		return err
	}
	ringo := "serve-" + *driver
	var pairs []pair
	for i := range cells {
		c := &cells[i]
		c.Args = []string{"-receive", fmt.Sprint(*receive)}
		c.Servers = []string{ringo, "fileserver", "nginx"}
		for _, base := range c.Servers[1:] {
			pairs = append(pairs, pair{c.Name(), ringo, base, fileBounds[base][c.Size]})
		}
	}
	o.setUp = func(r *rig.Rig) { r.Logs = *logs }
	return o.judgedLoads(ctx, cells, pairs)
}
