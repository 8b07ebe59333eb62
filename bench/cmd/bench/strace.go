//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// leastCalls is how many calls a request are shown.
const leastCalls = 0.0005

// strace counts system calls a request, from before the first connection until after the last: by strace, which tells
// them by name, and by perf, which disturbs little and so is the one to quote.
func strace(ctx context.Context, o *options) (ok bool, err error) {
	o.seconds, o.warmup = 3, 0
	load := o.String("cell", "50x64", "the `load`, CONNSxBYTES[xDEPTH]")
	o.Float64Var(&o.seconds, "seconds", o.seconds, "for so long")
	added := o.added()
	var cells []contest.Cell
	if err := o.read(func() error { return addCells(&cells, "", []string{*load}) }, func() error {
		if o.NArg() == 0 {
			return errors.New("want names of servers")
		}
		return nil
	}); err != nil {
		return false, err
	}
	cells[0].Servers, cells[0].Command = o.Args(), added
	r, err := o.open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Check(cells); err != nil {
		return false, o.wrong(err)
	}
	if err := r.Build(ctx); err != nil {
		return false, err
	}
	ok = true
	for _, name := range o.Args() {
		c := &cells[0]
		fmt.Fprintf(o.stdout, "%s, %d connections x %d bytes, depth %d\n", name, c.Conns, c.Size, c.Depth)
		for _, tracer := range []string{"strace", "perf"} {
			if !rig.Has(tracer) {
				fmt.Fprintf(o.stderr, "no %s here\n", tracer)
				continue
			}
			if err := o.count(ctx, r, name, c, tracer); err != nil {
				fmt.Fprintf(o.stdout, "  FAILED: %v\n", err)
				ok = false
				break
			}
		}
	}
	return ok, ctx.Err()
}

// count counts the calls of a server, and prints them.
func (o *options) count(ctx context.Context, r *rig.Rig, name string, c *contest.Cell, tracer string) error {
	s, err := r.Start(ctx, name, c)
	if err != nil {
		return err
	}
	defer s.Stop()
	var n float64
	load := func() error {
		got, err := s.Load(ctx, c, 0)
		if err == nil && got.Failed != "" {
			err = errors.New(got.Failed)
		}
		if err == nil {
			n = float64(got.AllTime)
		}
		return err
	}
	var all int
	var counts map[string]int
	if tracer == "perf" {
		all, err = s.AllCalls(ctx, load)
	} else {
		counts, err = s.Calls(ctx, load)
	}
	if err != nil {
		return err
	}
	byCount := func(a, b string) int { return cmp.Compare(counts[b], counts[a]) }
	for _, call := range slices.SortedFunc(maps.Keys(counts), byCount) {
		if all += counts[call]; float64(counts[call])/n >= leastCalls {
			fmt.Fprintf(o.stdout, "    %-22s %8.4f\n", call, float64(counts[call])/n)
		}
	}
	fmt.Fprintf(o.stdout, "  %-24s %8.4f a request: %d calls for %.0f requests\n", tracer+", all", float64(all)/n,
		all, n)
	return nil
}
