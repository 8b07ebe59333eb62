//go:build linux

package main

import (
	"context"
	"time"

	"ringo/bench/internal/rig"
)

// longestCount is how many times longer the count may last on a busy machine.
const longestCount = 8

// countCalls counts a server's system calls while it serves a load, and returns how long that took.
func countCalls(ctx context.Context, r *rig.Rig, driver string, c cell, window time.Duration) (counts map[string]int,
	requests int, took time.Duration, err error) {
	s, err := r.Start(ctx, "ringo-"+driver+"-request", c.load())
	if err != nil {
		return nil, 0, 0, err
	}
	defer s.Stop()
	r.Warmup, r.Seconds = 0, window.Seconds()
	begin := time.Now()
	counts, m, err := s.Calls(ctx, c.load())
	if err != nil {
		return nil, 0, 0, err
	}
	return counts, int(m.AllTime), time.Since(begin), nil
}
