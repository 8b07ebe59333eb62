//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// measure writes the record of a run.
func (o *options) measure(ctx context.Context, bench string, stderr io.Writer) (err error) {
	begin := time.Now()
	missing := o.missing()
	if o.install {
		if err := install(ctx, missing, stderr); err != nil {
			return err
		}
		missing = o.missing()
	}
	cells, left := o.choose(missing)
	if len(cells) == 0 {
		return errors.New("-only and -cells leave nothing to measure")
	}
	for _, l := range left {
		fmt.Fprintf(stderr, "left out: %s: %s\n", contest.ByName(l.Server).Title, l.Why)
	}
	r, err := rig.Open(bench)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	r.Seconds, r.Warmup, r.Quiet, r.CPU, r.LoadCPU = o.seconds, o.warmup, o.quiet/100, o.cpu, o.loadCPU
	r.Again, r.Spare = 2, len(steps(cells, o.rounds))/5 // a run on a noisy machine takes a fifth longer at most
	fmt.Fprintln(stderr, "building")
	if err := r.Build(ctx); err != nil {
		return err
	}
	about := o.about(ctx, bench, begin, left, stderr)
	charges := filepath.Join(bench, "bin", "charges")
	if about.Charges, err = host.Measure(ctx, charges, o.cpu, o.loadCPU); err != nil {
		fmt.Fprintln(stderr, "what the host charges is not measured:", err)
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
	if err := o.takeTurns(ctx, r, cells, w, stderr); err != nil {
		return err
	}
	end := &contest.End{Interrupted: ctx.Err() != nil, Minutes: time.Since(begin).Minutes()}
	if about.Charges != nil && ctx.Err() == nil {
		if end.Charges, err = host.Measure(ctx, charges, o.cpu, o.loadCPU); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return w.Close(end)
}

// missing are the servers whose programs are not installed.
func (o *options) missing() (all []contest.Server) {
	for _, s := range contest.Servers() {
		if s.Needs != "" && !rig.Has(s.Needs) {
			all = append(all, s)
		}
	}
	return all
}

// install installs the packages that have what is missing. Their services are not to be started.
func install(ctx context.Context, missing []contest.Server, stderr io.Writer) error {
	packages := packagesOf(missing)
	if len(packages) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("-install is for root: sudo apt-get install %s", strings.Join(packages, " "))
	}
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	// invoke-rc.d starts nothing in a runlevel for maintenance.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

func packagesOf(missing []contest.Server) (packages []string) {
	for _, s := range missing {
		packages = append(packages, strings.Fields(s.Apt)...)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// choose is what is measured, and who of it can't be.
func (o *options) choose(missing []contest.Server) (cells []contest.Cell, left []contest.LeftOut) {
	for _, c := range contest.Cells() {
		if !o.cells.MatchString(c.Name()) || o.quick && !c.Quick {
			continue
		}
		if o.quick {
			c.Shorten()
		}
		var servers []string
		for _, name := range c.Servers {
			i := slices.IndexFunc(missing, func(s contest.Server) bool { return s.Name == name })
			switch {
			case !o.only.MatchString(name):
			case i < 0:
				servers = append(servers, name)
			case !slices.ContainsFunc(left, func(l contest.LeftOut) bool { return l.Server == name }):
				left = append(left, contest.LeftOut{Server: name, Why: fmt.Sprintf(
					"%s is not installed: apt-get install %s, or -install", missing[i].Needs, missing[i].Apt)})
			}
		}
		if c.Servers = servers; len(servers) > 0 {
			cells = append(cells, c)
		}
	}
	return cells, left
}

// about describes the run.
func (o *options) about(ctx context.Context, bench string, begin time.Time, left []contest.LeftOut,
	stderr io.Writer) *contest.About {
	a := &contest.About{Begin: begin, Command: o.command, Quick: o.quick, Rounds: o.rounds, Seconds: o.seconds,
		Warmup: o.warmup, Quiet: o.quiet / 100, Host: host.Describe(), LeftOut: left}
	a.Host.Versions["Go"] = runtime.Version()
	for name, argv := range map[string][]string{
		"gcc": {"gcc", "--version"}, "nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"},
		"redis-server": {"redis-server", "--version"}, "fio": {"fio", "--version"},
	} {
		if !rig.Has(argv[0]) {
			continue
		}
		text, err := host.Version(ctx, append([]string{rig.Find(argv[0])}, argv[1:]...)...)
		if err != nil {
			fmt.Fprintf(stderr, "the version of %s: %v\n", name, err)
			continue
		}
		a.Host.Versions[name] = text
	}
	for name, version := range moduleVersions() {
		a.Host.Versions[name] = version
	}
	if commit, err := host.Version(ctx, "git", "-C", bench, "describe", "--always", "--dirty=, with changes",
		"--exclude=*"); err == nil {
		a.Commit = commit
	}
	return a
}

// steps are all measurements, in order.
func steps(cells []contest.Cell, rounds int) []plan.Step {
	var plans []plan.Cell
	for _, c := range cells {
		plans = append(plans, plan.Cell{Name: c.Name(), Servers: c.Servers})
	}
	return plan.Steps(plans, rounds)
}

// failedMax is in how many rounds in a row a server may fail under a load before it is given up there: failing takes
// time, ten seconds where answers are waited for.
const failedMax = 2

// takeTurns makes the measurements in order, and stops without an error when ctx ends.
func (o *options) takeTurns(ctx context.Context, m meter, cells []contest.Cell, w *contest.Writer,
	stderr io.Writer) error {
	byName := map[string]*contest.Cell{}
	for i := range cells {
		byName[cells[i].Name()] = &cells[i]
	}
	steps := steps(cells, o.rounds)
	clock := plan.NewClock(time.Duration((o.seconds + o.warmup + 0.2) * float64(time.Second)))
	p := newProgress(stderr, len(steps), o.rounds)
	defer p.end()
	k := peaks{meter: m, known: map[string]float64{}}
	failed := map[plan.Step]int{} // rounds in a row, by cell and server
	for i, s := range steps {
		who := plan.Step{Cell: s.Cell, Server: s.Server}
		if failed[who] == failedMax {
			continue
		}
		p.show(i, s, clock.Left(steps[i:]))
		begin := time.Now()
		rate, err := k.rate(ctx, byName[s.Cell])
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
