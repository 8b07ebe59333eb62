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
	known map[string]float64 // by the closed cell
}

// rate is what an open cell asks for, 0 for a closed one.
func (k *peaks) rate(ctx context.Context, cell *contest.Cell) (float64, error) {
	if cell.Share == 0 {
		return 0, nil
	}
	closed, server := cell.Closed()
	if k.known[closed.Name()] == 0 {
		var v []float64
		for range peakRounds {
			s, err := k.meter.Measure(ctx, plan.Step{Cell: closed.Name(), Server: server}, closed, 0)
			if err != nil {
				return 0, err
			}
			if s.Failed != "" {
				return 0, fmt.Errorf("the peak of %s, %s: %s", closed.Name(), server, s.Failed)
			}
			v = append(v, s.PerSecond)
		}
		k.known[closed.Name()] = report.Quantile(v, 0.5)
	}
	return cell.Share * k.known[closed.Name()], nil
}
