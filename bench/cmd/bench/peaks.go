//go:build linux

package main

import (
	"context"
	"fmt"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/report"
)

// peakRounds is how many measurements a peak is the median of.
const peakRounds = 3

// peaks are the rates of open cells. They are measured when they are needed and then stay, so that all servers get the
// same in all rounds.
type peaks struct {
	meter meter
	known map[plan.Step]float64 // by the closed cell and the server
}

// rate is what an open cell asks for, 0 for a closed one.
func (k *peaks) rate(ctx context.Context, cell *contest.Cell, p *progress) (float64, error) {
	if cell.Share == 0 {
		return 0, nil
	}
	closed := cell.Closed()
	step := plan.Step{Cell: closed.Name(), Server: cell.Peak}
	if k.known[step] == 0 {
		var v []float64
		for range peakRounds {
			s, err := k.meter.Measure(ctx, step, closed, 0)
			if err != nil {
				return 0, err
			}
			if s.Failed != "" {
				return 0, fmt.Errorf("the peak of %s, %s: %s", step.Cell, step.Server, s.Failed)
			}
			v = append(v, s.PerSecond)
		}
		k.known[step] = report.Quantile(v, 0.5)
		p.say("the peak of %s, %s: %.0f messages a second", step.Cell, step.Server, k.known[step])
	}
	return cell.Share * k.known[step], nil
}
