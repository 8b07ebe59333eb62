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
	"ringo/bench/internal/sample"
)

// leastCalls is how many calls a request there have to be for a line of output.
const leastCalls = 0.0005

// strace counts system calls a request, from before the first connection until after the last. It does so by strace,
// which has their names, and by perf, which disturbs little; so perf's figure is the one to quote.
func strace(ctx context.Context, o *options) error {
	o.rounds, o.seconds, o.warmup = 0, 3, 0
	load := o.String("cell", "50x64", "the `load`, CONNSxBYTES[xDEPTH]")
	added := o.added()
	var cells []contest.Cell
	if err := o.parse(func() error {
		if o.NArg() == 0 {
			return errors.New("want names of servers")
		}
		return addCells(&cells, "", []string{*load})
	}); err != nil {
		return err
	}
	c := &cells[0]
	c.Servers, c.Command = o.Args(), added
	r, err := o.open(ctx, cells)
	if err != nil {
		return err
	}
	defer r.Close()
	var failures error
	for _, name := range c.Servers {
		fmt.Fprintf(o.stdout, "%s, %d connections x %d bytes, depth %d\n", name, c.Conns, c.Size, c.Depth)
		for _, tracer := range []string{"strace", "perf"} {
			if !rig.Has(tracer) {
				fmt.Fprintf(o.stderr, "no %s here\n", tracer)
				continue
			}
			if err := o.count(ctx, r, name, c, tracer); err != nil {
				fmt.Fprintf(o.stdout, "  FAILED: %v\n", err)
				failures = errors.Join(failures, fmt.Errorf("%s: %w", name, err))
				break
			}
		}
	}
	return failures
}

// count counts the calls of a server, and prints them.
func (o *options) count(ctx context.Context, r *rig.Rig, name string, c *contest.Cell, tracer string) error {
	s, err := r.Start(ctx, name, c)
	if err != nil {
		return err
	}
	defer s.Stop()
	var all int
	var counts map[string]int
	var got *sample.Sample
	if tracer == "perf" {
		all, got, err = s.AllCalls(ctx, c)
	} else {
		counts, got, err = s.Calls(ctx, c)
	}
	if err != nil {
		return err
	}
	n := float64(got.AllTime)
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
