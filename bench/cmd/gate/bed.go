//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
	"ringo/bench/internal/sample"
)

const cpusMax = 1024 // that a CPUSet has a bit for

// newBed is a rig with programs in a folder, on the first two CPUs that the process may use, or the only one for both.
func newBed(bin string) (*rig.Rig, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus rig.CPUs
	for i := 0; len(cpus) < 2 && i < cpusMax; i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) == 0 {
		return nil, errors.New("no CPU may be used")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	r, err := rig.Open("")
	if err != nil {
		return nil, err
	}
	r.Bin, r.CPU, r.LoadCPU = bin, cpus[:1], cpus[len(cpus)-1:]
	return r, nil
}

// load is the cell as the load generator takes it.
func (c cell) load() *contest.Cell {
	return &contest.Cell{Load: c.String(), Mode: "echo", Conns: c.conns, Size: c.size, Depth: c.depth}
}

// loaded runs the load generator on a server, which has every byte verified.
func loaded(ctx context.Context, r *rig.Rig, s *rig.Server, c cell, warmup, window time.Duration) (*sample.Sample,
	error) {
	r.Warmup, r.Seconds = warmup.Seconds(), window.Seconds()
	m, err := s.Load(ctx, c.load(), 0)
	switch {
	case err != nil:
		return &sample.Sample{}, fmt.Errorf("%v: %w", c, err)
	case m.Failed != "":
		return m, fmt.Errorf("%v: %s", c, m.Failed)
	}
	return m, nil
}
