//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/rig"
	"ringo/bench/internal/sample"
)

const (
	attemptsMax = 3
	starvedMax  = 20 // windows in which other programs left a server or the load no CPU time
)

// ratios measures the servers.
type ratios struct {
	bed     *rig.Rig
	rounds  int
	out     io.Writer
	servers map[string]*rig.Server
}

// run measures and judges the bounds, and repeats that for those that fail.
func (r *ratios) run(ctx context.Context, bounds []ratioBound) (ok bool, err error) {
	r.servers = map[string]*rig.Server{}
	for _, name := range serversOf(bounds) {
		s, err := r.bed.Start(ctx, name, bounds[0].cell.load())
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		defer s.Stop()
		r.servers[name] = s
	}
	for attempt := 1; ; attempt++ {
		measured, err := r.measure(ctx, bounds)
		if err != nil {
			return false, err
		}
		var failed []ratioBound
		for _, b := range bounds {
			lines, good := b.judge(measured[b])
			fmt.Fprintln(r.out, strings.Join(lines, "\n"))
			if !good {
				failed = append(failed, b)
			}
		}
		if len(failed) == 0 || attempt == attemptsMax {
			return len(failed) == 0, nil
		}
		fmt.Fprintf(r.out, "attempt %d of %d failed for %d of %d; these are measured again\n", attempt, attemptsMax,
			len(failed), len(bounds))
		bounds = failed
	}
}

// serversOf returns the servers of bounds and their yardsticks, each once.
func serversOf(bounds []ratioBound) (names []string) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, b := range bounds {
		for _, y := range b.yardsticks() {
			add(y.name)
		}
		add(b.server)
	}
	return names
}

// measure returns the ratios of each round, by yardstick. A round goes through the cells, and in each through the
// servers. A window in which other programs took the CPU is measured again.
func (r *ratios) measure(ctx context.Context, bounds []ratioBound) (map[ratioBound]map[string][]float64, error) {
	byCell := map[string][]ratioBound{}
	var cells []plan.Cell
	for _, b := range bounds {
		name := b.cell.String()
		if byCell[name] == nil {
			cells = append(cells, plan.Cell{Name: name})
		}
		byCell[name] = append(byCell[name], b)
	}
	for i := range cells {
		cells[i].Servers = serversOf(byCell[cells[i].Name])
	}
	var rec contest.Record
	for _, step := range plan.Steps(cells, r.rounds) {
		s, err := r.bed.Try(ctx, step, func() (*sample.Sample, error) {
			return r.servers[step.Server].Load(ctx, byCell[step.Cell][0].cell.load(), 0)
		})
		if err == nil && s.Failed != "" {
			err = fmt.Errorf("%s, %s: %s", step.Server, step.Cell, s.Failed)
		}
		if err != nil {
			return nil, err
		}
		rec.Samples = append(rec.Samples, *s)
	}
	measured := map[ratioBound]map[string][]float64{}
	for _, result := range rec.Results() {
		for _, b := range byCell[result.Cell.Name()] {
			measured[b] = map[string][]float64{}
			for _, y := range b.yardsticks() {
				measured[b][y.name] = result.Ratios(contest.CPU.Of, y.name, b.server)
			}
		}
	}
	return measured, nil
}
