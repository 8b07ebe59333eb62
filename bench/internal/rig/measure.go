//go:build linux

package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/sample"
)

// failuresMax is how often a server may fail in one measurement: the machine may have stood still for seconds.
const failuresMax = 2

// Measure makes one measurement of a cell: the server of the step is started, loaded and stopped. What goes wrong with
// it is in the sample. The only error is that ctx has ended. Rate is the messages a second of an open loop.
func (r *Rig) Measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	for try := 0; ; try++ {
		s, err := r.measure(ctx, step, cell, rate)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s = &sample.Sample{Failed: err.Error()}
		}
		s.Round, s.Cell, s.Server = step.Round, step.Cell, step.Server
		switch {
		case try == r.Again, r.Spare == 0, s.Failed == "" && s.OtherBusy <= r.Quiet,
			s.Failed != "" && try == failuresMax-1:
			return s, nil
		}
		r.Spare--
	}
}

func (r *Rig) measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error) {
	if cell.Kind == contest.Disk {
		return r.measureDisk(ctx, step.Server, cell)
	}
	port, err := r.nextPort()
	if err != nil {
		return nil, err
	}
	behind, err := r.nextPort()
	if err != nil {
		return nil, err
	}
	c, err := r.command(step.Server, cell, port, behind)
	if err != nil {
		return nil, err
	}
	beside := 0
	if c.before != nil {
		p, err := r.start(r.LoadCPU, c.before, nil)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		if err := p.untilReady(ctx, announced, ""); err != nil {
			return nil, fmt.Errorf("what is behind it: %w", err)
		}
		beside = p.pid()
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := r.start(r.CPU, c.argv, nil)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.untilReady(ctx, c.ready, addr); err != nil {
		return nil, err
	}
	if line := p.said.line(announced); c.driver != "" && !strings.Contains(line+" ", " driver="+c.driver+" ") {
		return nil, fmt.Errorf("runs on another driver: %s", line)
	}
	s, err := r.load(ctx, cell, addr, p.pid(), beside, rate)
	select {
	case <-p.end:
		return nil, fmt.Errorf("died: %v: %s", p.err, p.said.last())
	default:
		return s, err
	}
}

// load runs the load generator against a server.
func (r *Rig) load(ctx context.Context, cell *contest.Cell, addr string, server, beside int,
	rate float64) (*sample.Sample, error) {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	argv := []string{r.bin + "/load", "-mode", cell.Mode, "-addr", addr, "-conns", strconv.Itoa(cell.Conns), "-size",
		strconv.Itoa(cell.Size), "-depth", strconv.Itoa(cell.Depth), "-seconds", number(r.Seconds), "-warmup",
		number(r.Warmup), "-pid", strconv.Itoa(server), "-beside", strconv.Itoa(beside), "-json"}
	if cell.Share > 0 {
		argv = append(argv, "-rate", number(rate))
	}
	if cell.Kind == contest.Files {
		argv = append(argv, "-path", "/"+siteName(cell.Size))
	}
	var out bytes.Buffer
	p, err := r.start(r.LoadCPU, argv, &out)
	if err != nil {
		return nil, err
	}
	end := p.wait(ctx)
	return parse(out.Bytes(), end, p.said.last())
}

// parse reads what the load generator printed. If it ended badly but has a result, that tells of wrong bytes.
func parse(line []byte, end error, said string) (*sample.Sample, error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, fmt.Errorf("load: %w: %s", cmpErr(end), said)
	}
	s := new(sample.Sample)
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("load: %w: %.80q", err, line)
	}
	switch {
	case s.Errors > 0 || s.Mismatches > 0:
		s.Failed = fmt.Sprintf("%d connections broke and %d got a wrong byte: %s", s.Errors, s.Mismatches, said)
	case s.CPUMicros <= 0:
		s.Failed = "the server did nothing in the window"
	case end != nil:
		s.Failed = fmt.Sprintf("load: %v: %s", end, said)
	}
	return s, nil
}

var errNoResult = errors.New("no result")

func cmpErr(err error) error {
	if err == nil {
		return errNoResult
	}
	return err
}
