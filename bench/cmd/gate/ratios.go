//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ringo/bench/internal/rig"
)

const (
	attemptsMax = 3
	starvedMax  = 20 // windows in which other programs left a server or the load no time at all
)

// ratios measures every server that runs on one of the drivers.
type ratios struct {
	bed            *rig.Rig
	rounds         int
	warmup, window time.Duration
	out            io.Writer
	servers        map[string]*rig.Server
	starved        int
}

// run judges the bounds.
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

// serversOf are the servers that bounds speak of, and their yardsticks, each once.
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

// measure gives the ratios of each round, by yardstick. A round goes through the cells, in each through the servers;
// which of them is first changes from round to round.
func (r *ratios) measure(ctx context.Context, bounds []ratioBound) (map[ratioBound]map[string][]float64, error) {
	measured := map[ratioBound]map[string][]float64{}
	byCell := map[cell][]ratioBound{}
	var cells []cell
	for _, b := range bounds {
		if byCell[b.cell] == nil {
			cells = append(cells, b.cell)
		}
		byCell[b.cell] = append(byCell[b.cell], b)
		measured[b] = map[string][]float64{}
	}
	for round := range r.rounds {
		for _, c := range cells {
			names := serversOf(byCell[c])
			cpu := map[string]float64{}
			for i := range names {
				name := names[(i+round)%len(names)]
				var err error
				if cpu[name], err = r.cpu(ctx, r.servers[name], c); err != nil {
					return nil, err
				}
			}
			for _, b := range byCell[c] {
				for _, y := range b.yardsticks() {
					measured[b][y.name] = append(measured[b][y.name], cpu[y.name]/cpu[b.server])
				}
			}
		}
	}
	return measured, nil
}

// cpu is what a request costs a server. A window without a request, which a machine that stands still makes, is
// measured again.
func (r *ratios) cpu(ctx context.Context, s *rig.Server, c cell) (float64, error) {
	for {
		m, err := loaded(ctx, r.bed, s, c, r.warmup, r.window)
		switch {
		case err == nil:
			return m.CPUMicros, nil
		case !rig.StoodStill(err.Error()):
			return 0, err
		case r.starved == starvedMax:
			return 0, fmt.Errorf("%d windows without a request: this machine has no time for a measurement", r.starved)
		}
		r.starved++
	}
}
