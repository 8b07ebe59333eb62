//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ringo/bench/internal/rig"
)

// commands are what there is to do, by name. Each reads the command line first.
var commands = map[string]func(context.Context, *options) error{
	"beside":  beside,
	"compare": compare,
	"disk":    disk,
	"files":   files,
	"idle":    idle,
	"ring":    ring,
	"run":     run,
	"sockets": sockets,
	"strace":  strace,
}

// options are the flags that all commands have that measure in rounds, and their defaults until parse.
type options struct {
	*flag.FlagSet
	args           []string
	command        string // as it was called
	bench          string // the folder
	stdout, stderr io.Writer

	rounds                 int
	seconds, warmup, quiet float64
	cpu, loadCPU           rig.CPUs
	record, from           string
	again                  int  // how often a measurement may be made again
	loads                  bool // there is a load, and a server under it; or else programs that measure by themselves
	charges                bool // what the host charges is measured, too
	short                  bool
	brief                  map[string]any // what the flag for that sets, unless other flags do
	setUp                  func(*rig.Rig)
}

func newOptions(name string, args []string, stdout, stderr io.Writer) (*options, error) {
	o := &options{FlagSet: flag.NewFlagSet("bench "+name, flag.ContinueOnError), args: args,
		command: strings.Join(append([]string{"bench", name}, args...), " "), stdout: stdout, stderr: stderr,
		rounds: 11, seconds: 1, warmup: 0.3, quiet: 10, cpu: rig.CPUs{0}, loadCPU: rig.CPUs{1}, again: 4,
		loads: true, setUp: func(*rig.Rig) {}}
	o.SetOutput(stderr)
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "ringo/bench").Output()
	if err != nil {
		return nil, fmt.Errorf("this is not the module in the folder bench: %w", err)
	}
	o.bench = strings.TrimSpace(string(dir))
	o.record = filepath.Join(o.bench, "out", name+".jsonl")
	return o, nil
}

// usage is what is wrong with the command line.
type usage struct{ error }

// parse reads the command line. What is wrong with it beyond its form is all told at once.
func (o *options) parse(checks ...func() error) error {
	if o.rounds > 0 {
		o.IntVar(&o.rounds, "rounds", o.rounds, "rounds; fewer than 3 judge nothing")
		o.StringVar(&o.from, "from", "", "measure nothing: print what the record in this `file` says")
		o.StringVar(&o.record, "record", o.record, "write the record, a line of JSON for each sample, to this `file`")
	}
	if o.loads {
		o.Float64Var(&o.seconds, "seconds", o.seconds, "length of a measured window")
		o.Float64Var(&o.warmup, "warmup", o.warmup, "seconds before it")
		o.Float64Var(&o.quiet, "quiet", o.quiet, fmt.Sprintf("`percent` of a core that other programs may take; "+
			"with more it is measured again, up to %d times", o.again))
		o.Var(&o.cpu, "server-cpu", "the `CPUs` for servers, as 0 or 0,1")
		o.Var(&o.loadCPU, "load-cpu", "the `CPUs` for the load generator")
	}
	switch err := o.Parse(o.args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return usage{} // which package flag has told
	}
	if o.short {
		o.Visit(func(f *flag.Flag) { delete(o.brief, f.Name) })
		for name, v := range o.brief {
			o.Set(name, fmt.Sprint(v)) // a command that has not this flag does without
		}
	}
	var errs []error
	if o.rounds < 1 && o.Lookup("rounds") != nil || o.seconds <= 0 || o.warmup < 0 {
		errs = append(errs, fmt.Errorf("-rounds %d, -seconds %v and -warmup %v: want more than 0, or no warm-up",
			o.rounds, o.seconds, o.warmup))
	}
	if slices.Equal(o.cpu, o.loadCPU) {
		errs = append(errs, fmt.Errorf("-server-cpu and -load-cpu are both %v: servers need their own", &o.cpu))
	}
	for _, check := range checks {
		errs = append(errs, check())
	}
	if err := errors.Join(errs...); err != nil {
		return usage{err}
	}
	return nil
}

// hasShort gives the command a flag -short, of one round with such a window.
func (o *options) hasShort(seconds, warmup float64) {
	o.BoolVar(&o.short, "short", false, "one round of a moment: shows that all works and measures nothing")
	o.brief = map[string]any{"rounds": 1, "seconds": seconds, "warmup": warmup, "quiet": 1000}
}

// driver is a flag for Ringo's driver.
func (o *options) driver() *string { return o.String("driver", "uring", "Ringo's `driver`") }

// none wants no arguments.
func (o *options) none() error {
	if o.NArg() > 0 {
		return fmt.Errorf("unexpected arguments %q", o.Args())
	}
	return nil
}

func main() {
	// The second signal ends the program as if there was no handler; what it has started ends with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(call(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// call does what a command line says, and gives the exit code.
func call(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(stderr, "usage: bench COMMAND [flags], and COMMAND is one of",
			strings.Join(names(commands), ", "))
		return 2
	}
	o, err := newOptions(args[0], args[1:], stdout, stderr)
	if err == nil {
		err = commands[args[0]](ctx, o)
	}
	switch wrong := (usage{}); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		if code = 2; wrong.error == nil {
			return code
		}
	default:
		code = 1
	}
	fmt.Fprintln(stderr, "bench:", err)
	return code
}
