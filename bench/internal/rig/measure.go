//go:build linux

package rig

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/sample"
)

// Measure makes one measurement of a cell: it starts the server of the step, loads it and stops it. If that fails, the
// sample says so. It returns an error only if ctx has ended. rate is the messages a second of an open loop.
func (r *Rig) Measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	return r.Try(ctx, step, func() (*sample.Sample, error) { return r.measure(ctx, step, cell, rate) })
}

// Try is Measure for another kind of measurement. It repeats a disturbed one, within Again and Spare.
func (r *Rig) Try(ctx context.Context, step plan.Step, measure func() (*sample.Sample, error)) (*sample.Sample, error) {
	for try := 0; ; try++ {
		s, err := measure()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s == nil {
			s = new(sample.Sample)
		}
		if err != nil {
			s.Failed = err.Error()
		}
		s.Round, s.Cell, s.Server = step.Round, step.Cell, step.Server
		if try == r.Again || r.Spare == 0 || !r.disturbed(s) {
			return s, nil
		}
		r.Spare--
	}
}

// standstills are in the errors of measurements on a machine that stands still for seconds.
var standstills = []string{"was not ready after", "no request was completed", "did not get through in",
	errDidNothing.Error()}

// disturbed reports whether a measurement is worthless because other programs took too much of the machine. A wrong
// answer, or a server that failed in another way, is a result.
func (r *Rig) disturbed(s *sample.Sample) bool {
	switch {
	case s.Errors > 0 || s.Mismatches > 0:
		return false
	case s.Failed != "":
		return slices.ContainsFunc(standstills, func(text string) bool { return strings.Contains(s.Failed, text) })
	default:
		return s.OtherBusy > r.Quiet
	}
}

func (r *Rig) measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	c, err := r.command(step.Server, cell, 0, 0)
	if err != nil {
		return nil, err
	}
	if c.figures != nil {
		return r.measureItself(ctx, c, cell)
	}
	s, err := r.Start(ctx, step.Server, cell)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	return s.Load(ctx, cell, rate)
}

// Server is a running server.
type Server struct {
	*process
	rig    *Rig
	addr   string
	behind *process // the server behind it, if it needs one
}

// Start starts a server by name, for a cell, and waits until it serves.
func (r *Rig) Start(ctx context.Context, name string, cell *contest.Cell) (_ *Server, err error) {
	port, err := r.nextPort()
	if err != nil {
		return nil, err
	}
	behind, err := r.nextPort()
	if err != nil {
		return nil, err
	}
	c, err := r.command(name, cell, port, behind)
	if err != nil {
		return nil, err
	}
	s := &Server{rig: r, addr: fmt.Sprintf("127.0.0.1:%d", port)}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if c.before != nil {
		if s.behind, err = r.start(r.LoadCPU, &command{argv: c.before, dir: r.work}); err != nil {
			return nil, err
		}
		if err := s.behind.untilReady(ctx, announced, ""); err != nil {
			return nil, fmt.Errorf("what is behind it: %w", err)
		}
	}
	if cell.Kind == contest.Files {
		if err := r.makeSite(cell.Size); err != nil {
			return nil, err
		}
	}
	if s.process, err = r.start(r.CPU, c); err != nil {
		return nil, err
	}
	if err := s.untilReady(ctx, c.ready, s.addr); err != nil {
		return nil, err
	}
	if line := s.said.line(announced); c.driver != "" && !strings.Contains(line+" ", " driver="+c.driver+" ") {
		return nil, fmt.Errorf("runs on another driver: %s", line)
	}
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() {
	for _, p := range []*process{s.process, s.behind} {
		if p != nil {
			p.stop()
		}
	}
}

// Load runs the load generator against the server, at a rate if that is not 0. If an answer was wrong it returns an
// error, and the sample counts it.
func (s *Server) Load(ctx context.Context, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	return s.load(ctx, cell, rate)
}

// load is Load, with the load generator as the command of another program.
func (s *Server) load(ctx context.Context, cell *contest.Cell, rate float64, of ...string) (*sample.Sample, error) {
	r := s.rig
	conns := cell.Conns
	if cell.Mode == "idle" { // at most as many as a process may have
		conns = min(conns, r.idle)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	argv := append(of, r.Bin+"/load", "-mode", cell.Mode, "-addr", s.addr, "-conns", strconv.Itoa(conns), "-size",
		strconv.Itoa(cell.Size), "-depth", strconv.Itoa(cell.Depth), "-seconds", number(r.Seconds), "-warmup",
		number(r.Warmup), "-pid", strconv.Itoa(s.pid()), "-json")
	if s.behind != nil {
		argv = append(argv, "-beside", strconv.Itoa(s.behind.pid()))
	}
	if rate > 0 {
		argv = append(argv, "-rate", number(rate))
	}
	if cell.Kind == contest.Files {
		argv = append(argv, "-path", "/"+siteName(cell.Size))
	}
	if cell.Mode == "idle" { // many connect at once
		argv = append(argv, "-patience", "60")
	}
	var out bytes.Buffer
	p, err := r.start(r.LoadCPU, &command{argv: append(argv, cell.Args...), dir: r.work, stdout: &out})
	if err != nil {
		return nil, err
	}
	end := p.wait(ctx)
	got, err := parse(out.Bytes(), end, p.said.last())
	if err != nil {
		select {
		case <-s.end: // some fail with their load, as they should
			err = fmt.Errorf("died: %v: %s: %w", s.err, s.said.last(), err)
		default:
		}
	}
	return got, err
}

// parse parses the output of the load generator. There may be a result even if it failed.
func parse(line []byte, end error, said string) (*sample.Sample, error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, fmt.Errorf("load: %w: %s", cmp.Or(end, errNoResult), said)
	}
	s := new(sample.Sample)
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("load: %w: %.80q", err, line)
	}
	switch {
	case s.Errors > 0 || s.Mismatches > 0:
		return s, fmt.Errorf("%d connections broke and %d got a wrong byte: %s", s.Errors, s.Mismatches, said)
	case s.CPUMicros <= 0 && s.Mode != "idle":
		return s, errDidNothing
	case end != nil:
		return s, fmt.Errorf("load: %w: %s", end, said)
	}
	return s, nil
}

var (
	errNoResult   = errors.New("no result")
	errDidNothing = errors.New("the server did nothing in the window")
)
