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
	"ringo/bench/internal/rig"
	"ringo/bench/internal/sample"
)

// meter makes one measurement. A rig does; its error is that ctx has ended.
type meter interface {
	Measure(ctx context.Context, step plan.Step, cell *contest.Cell, rate float64) (*sample.Sample, error)
}

// measure has the cells measured and gives the record of that; or that of an earlier run, with -from.
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

// passed says that no server failed and no answer was wrong.
func passed(rec *contest.Record) bool {
	_, failed := rec.Disturbed()
	return failed == 0
}

// write has the cells measured and writes the record of it.
func (o *options) write(ctx context.Context, cells []contest.Cell) (err error) {
	begin := time.Now()
	r, err := o.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	cells, left := present(cells, missing())
	if len(cells) == 0 {
		return errors.New("there is nothing to measure")
	}
	for _, l := range left {
		fmt.Fprintf(o.stderr, "left out: %s: %s\n", contest.ByName(l.Server).Title, l.Why)
	}
	if err := r.Check(cells); err != nil {
		return o.wrong(err)
	}
	r.Again, r.Spare = o.again, o.again*len(steps(cells, o.rounds))
	if o.charges {
		r.Spare = len(steps(cells, o.rounds)) / 5 // a long run on a noisy machine takes a fifth longer at most
	}
	fmt.Fprintln(o.stderr, "building")
	if err := r.Build(ctx); err != nil {
		return err
	}
	about := o.about(ctx, begin, left)
	if about.Charges, err = o.charged(ctx); err != nil {
		fmt.Fprintln(o.stderr, "what the host charges is not measured:", err)
	}
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
	end := &contest.End{Interrupted: ctx.Err() != nil, Minutes: time.Since(begin).Minutes()}
	if about.Charges != nil && ctx.Err() == nil {
		if end.Charges, err = o.charged(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return w.Close(end)
}

// open makes a rig of the command line.
func (o *options) open() (*rig.Rig, error) {
	r, err := rig.Open(o.bench)
	if err != nil {
		return nil, err
	}
	r.Seconds, r.Warmup, r.Quiet, r.CPU, r.LoadCPU = o.seconds, o.warmup, o.quiet/100, o.cpu, o.loadCPU
	o.setUp(r)
	return r, nil
}

// charged is what the host charges, for a command that wants to know.
func (o *options) charged(ctx context.Context) (host.Charges, error) {
	if !o.charges {
		return nil, nil
	}
	return host.Measure(ctx, filepath.Join(o.bench, "bin", "charges"), o.cpu[0], o.loadCPU[0])
}

// missing are the servers whose programs are not installed.
func missing() (all []contest.Server) {
	for _, s := range contest.Servers() {
		if s.Needs != "" && !rig.Has(s.Needs) {
			all = append(all, s)
		}
	}
	return all
}

// present are cells without those whose programs are missing, and who of them would have competed.
func present(cells []contest.Cell, missing []contest.Server) (here []contest.Cell, left []contest.LeftOut) {
	for _, c := range cells {
		c.Servers = slices.DeleteFunc(slices.Clone(c.Servers), func(name string) bool {
			i := slices.IndexFunc(missing, func(s contest.Server) bool { return s.Name == name })
			if i < 0 {
				return false
			}
			if !slices.ContainsFunc(left, func(l contest.LeftOut) bool { return l.Server == name }) {
				left = append(left, contest.LeftOut{Server: name, Why: fmt.Sprintf(
					"%s is not installed: apt-get install %s", missing[i].Needs, missing[i].Apt)})
			}
			return true
		})
		if len(c.Servers) > 0 {
			here = append(here, c)
		}
	}
	return here, left
}

// about describes the run.
func (o *options) about(ctx context.Context, begin time.Time, left []contest.LeftOut) *contest.About {
	a := &contest.About{Begin: begin, Command: o.command, Quick: o.quick, Rounds: o.rounds, Seconds: o.seconds,
		Warmup: o.warmup, Quiet: o.quiet / 100, Host: host.Describe(), LeftOut: left}
	for name, argv := range map[string][]string{
		"gcc": {"gcc", "--version"}, "nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"},
		"redis-server": {"redis-server", "--version"}, "fio": {"fio", "--version"},
	} {
		if !rig.Has(argv[0]) {
			continue
		}
		text, err := host.Version(ctx, append([]string{rig.Find(argv[0])}, argv[1:]...)...)
		if err != nil {
			fmt.Fprintf(o.stderr, "the version of %s: %v\n", name, err)
			continue
		}
		a.Host.Versions[name] = text
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

// steps are all measurements, in order.
func steps(cells []contest.Cell, rounds int) []plan.Step {
	var plans []plan.Cell
	for _, c := range cells {
		plans = append(plans, plan.Cell{Name: c.Name(), Servers: c.Servers, Rounds: c.Rounds})
	}
	return plan.Steps(plans, rounds)
}

// failedMax is in how many rounds in a row a server may fail under a load before it is given up there: failing takes
// time, ten seconds where answers are waited for.
const failedMax = 2

// takeTurns makes the measurements in order, and stops without an error when ctx ends.
func (o *options) takeTurns(ctx context.Context, m meter, cells []contest.Cell, w *contest.Writer) error {
	byName := map[string]*contest.Cell{}
	for i := range cells {
		byName[cells[i].Name()] = &cells[i]
	}
	steps := steps(cells, o.rounds)
	clock := plan.NewClock(time.Duration((o.seconds + o.warmup + 0.2) * float64(time.Second)))
	p := newProgress(o.stderr, len(steps), o.rounds)
	defer p.end()
	k := peaks{meter: m, known: map[plan.Step]float64{}}
	failed := map[plan.Step]int{} // rounds in a row, by cell and server
	for i, s := range steps {
		who := plan.Step{Cell: s.Cell, Server: s.Server}
		if failed[who] == failedMax {
			continue
		}
		p.show(i, s, clock.Left(steps[i:]))
		begin := time.Now()
		rate, err := k.rate(ctx, byName[s.Cell], p)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
		got, err := m.Measure(ctx, s, byName[s.Cell], rate)
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
		} else if failed[who]++; failed[who] < failedMax {
			p.say("round %d, %s, %s FAILED: %s", s.Round, s.Cell, s.Server, got.Failed)
		} else {
			p.say("round %d, %s, %s FAILED and is given up: %s", s.Round, s.Cell, s.Server, got.Failed)
		}
		clock.Took(s, time.Since(begin))
	}
	return nil
}
