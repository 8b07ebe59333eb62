//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/host"
	"ringo/bench/internal/plan"
	"ringo/bench/internal/report"
	"ringo/bench/internal/rig"
	"ringo/bench/internal/sample"
)

// meter makes one measurement. A rig is one; it returns an error only if ctx has ended.
type meter interface {
	Measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error)
}

// measure measures the cells and returns the record. With -from it returns the record of an earlier run instead.
func (o *options) measure(ctx context.Context, cells []contest.Cell) (*contest.Record, error) {
	if o.from == "" {
		if err := o.write(ctx, cells); err != nil {
			return nil, err
		}
		o.from = o.record
	}
	f, err := os.Open(o.from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rec, err := contest.Read(f)
	if err == nil && len(rec.Samples) == 0 {
		err = errors.New("nothing was measured")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.from, err)
	}
	return rec, nil
}

// write measures the cells and writes the record.
func (o *options) write(ctx context.Context, cells []contest.Cell) (err error) {
	begin := time.Now()
	cells, left := present(cells, missing())
	if len(cells) == 0 {
		return errors.New("there is nothing to measure")
	}
	for _, l := range left {
		fmt.Fprintf(o.stderr, "left out: %s: %s\n", contest.ByName(l.Server).Title, l.Why)
	}
	r, err := o.open(ctx, cells)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	r.Again, r.Spare = o.again, o.again*len(steps(cells, o.rounds))
	if o.charges {
		r.Spare = len(steps(cells, o.rounds)) / 5 // on a noisy machine a long run takes a fifth longer at most
	}
	about := o.about(ctx, begin, left)
	about.Charges = o.charged(ctx)
	if err := os.MkdirAll(filepath.Dir(o.record), 0o777); err != nil {
		return err
	}
	f, err := os.Create(o.record)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := contest.NewWriter(f, about)
	if err != nil {
		return err
	}
	if err := o.takeTurns(ctx, r, cells, w); err != nil {
		return err
	}
	return w.Close(&contest.End{Interrupted: ctx.Err() != nil, Minutes: time.Since(begin).Minutes(),
		Charges: o.charged(ctx)})
}

// open opens the rig that the command line describes, and builds the programs.
func (o *options) open(ctx context.Context, cells []contest.Cell) (*rig.Rig, error) {
	r, err := rig.Open(o.bench)
	if err != nil {
		return nil, err
	}
	r.Seconds, r.Warmup, r.Quiet, r.CPU, r.LoadCPU = o.seconds, o.warmup, o.quiet/100, o.cpu, o.loadCPU
	o.setUp(r)
	if err = r.Check(cells); err != nil {
		err = usage{err}
	} else {
		fmt.Fprintln(o.stderr, "building")
		err = r.Build(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// charged measures what the host charges, if the command wants that and the run has not been interrupted.
func (o *options) charged(ctx context.Context) host.Charges {
	if !o.charges || ctx.Err() != nil {
		return nil
	}
	c, err := host.Measure(ctx, filepath.Join(o.bench, "bin", "charges"), o.cpu[0], o.loadCPU[0])
	if err != nil {
		fmt.Fprintln(o.stderr, "what the host charges is not measured:", err)
	}
	return c
}

// missing returns the servers whose programs are not installed.
func missing() (all []contest.Server) {
	for _, s := range contest.Servers() {
		if s.Needs != "" && !rig.Has(s.Needs) {
			all = append(all, s)
		}
	}
	return all
}

// present returns the cells without the servers whose programs are missing, and those of them that it left out.
func present(cells []contest.Cell, missing []contest.Server) (here []contest.Cell, left []contest.LeftOut) {
	for _, m := range missing {
		if slices.ContainsFunc(cells, func(c contest.Cell) bool { return slices.Contains(c.Servers, m.Name) }) {
			left = append(left, contest.LeftOut{Server: m.Name,
				Why: fmt.Sprintf("%s is not installed: apt-get install %s", m.Needs, m.Apt)})
		}
	}
	for _, c := range cells {
		c.Servers = slices.DeleteFunc(slices.Clone(c.Servers), func(name string) bool {
			return slices.ContainsFunc(left, func(l contest.LeftOut) bool { return l.Server == name })
		})
		if len(c.Servers) > 0 {
			here = append(here, c)
		}
	}
	return here, left
}

// about describes the run.
func (o *options) about(ctx context.Context, begin time.Time, left []contest.LeftOut) *contest.About {
	a := &contest.About{Begin: begin, Command: o.command, Quick: o.short, Rounds: o.rounds, Seconds: o.seconds,
		Warmup: o.warmup, Quiet: o.quiet / 100, Host: host.Describe(), LeftOut: left}
	for name, argv := range map[string][]string{
		"gcc": {"gcc", "--version"}, "nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"},
		"redis-server": {"redis-server", "--version"}, "fio": {"fio", "--version"},
	} {
		if text, err := host.Version(ctx, append([]string{rig.Find(argv[0])}, argv[1:]...)...); err == nil {
			a.Host.Versions[name] = text
		}
	}
	a.Host.Versions["Go"] = runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			a.Host.Versions[m.Path] = m.Version
		}
	}
	if commit, err := host.Version(ctx, "git", "-C", o.bench, "describe", "--always", "--dirty=, with changes",
		"--exclude=*"); err == nil {
		a.Commit = commit
	}
	return a
}

// steps returns all measurements, in order.
func steps(cells []contest.Cell, rounds int) []plan.Step {
	var plans []plan.Cell
	for _, c := range cells {
		plans = append(plans, plan.Cell{Name: c.Name(), Servers: c.Servers, Rounds: c.Rounds})
	}
	return plan.Steps(plans, rounds)
}

// failedMax is how many rounds in a row a server may fail in a cell before it is skipped there. A failure takes time:
// ten seconds if answers do not come.
const failedMax = 2

// takeTurns makes the measurements in order. When ctx ends it stops without an error.
func (o *options) takeTurns(ctx context.Context, m meter, cells []contest.Cell, w *contest.Writer) error {
	byName := map[string]*contest.Cell{}
	for i := range cells {
		byName[cells[i].Name()] = &cells[i]
	}
	steps := steps(cells, o.rounds)
	begin := time.Now()
	peaks := map[plan.Step]float64{} // by cell and server: the peaks that rates are shares of
	failed := map[plan.Step]int{}    // rounds in a row, by cell and server
	for i, s := range steps {
		who := plan.Step{Cell: s.Cell, Server: s.Server}
		if failed[who] == failedMax {
			continue
		}
		if i == 0 || s.Cell != steps[i-1].Cell || s.Round != steps[i-1].Round {
			left := "" // if the rest takes as long as the part before
			if i > 0 {
				d := time.Since(begin) * time.Duration(len(steps)-i) / time.Duration(i)
				left = fmt.Sprintf(", %v left", d.Round(time.Second))
			}
			fmt.Fprintf(o.stderr, "round %d of %d, %s: %d of %d done%s\n", s.Round, o.rounds, s.Cell, i, len(steps),
				left)
		}
		cell, rate := byName[s.Cell], 0.0
		if cell.Share > 0 {
			of := plan.Step{Cell: cell.Closed().Name(), Server: cell.Peak}
			if peaks[of] == 0 {
				var err error
				if peaks[of], err = peak(ctx, m, of, cell.Closed()); ctx.Err() != nil {
					break
				} else if err != nil {
					return err
				}
				fmt.Fprintf(o.stderr, "the peak of %s, %s: %.0f messages a second\n", of.Cell, of.Server, peaks[of])
			}
			rate = cell.Share * peaks[of]
		}
		got, err := m.Measure(ctx, s, cell, rate)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if err := w.Add(got); err != nil {
			return err
		}
		if got.Failed == "" {
			delete(failed, who)
			continue
		}
		failed[who]++
		fmt.Fprintf(o.stderr, "round %d, %s, %s FAILED %d times: %s\n", s.Round, s.Cell, s.Server, failed[who],
			got.Failed)
	}
	return nil
}

// peakRounds is how many measurements the median of a peak is taken from.
const peakRounds = 3

// peak returns how many messages a second a server answers at most.
func peak(ctx context.Context, m meter, step plan.Step, cell *contest.Cell) (float64, error) {
	var v []float64
	for range peakRounds {
		s, err := m.Measure(ctx, step, cell, 0)
		if err == nil && s.Failed != "" {
			err = errors.New(s.Failed)
		}
		if err != nil {
			return 0, fmt.Errorf("the peak of %s, %s: %w", step.Cell, step.Server, err)
		}
		v = append(v, s.PerSecond)
	}
	return report.Quantile(v, 0.5), nil
}
