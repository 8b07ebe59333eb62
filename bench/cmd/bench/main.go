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

// commands are the subcommands by name. Each parses the command line first.
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

// options are the flags that all commands which measure in rounds have. Until parse they have the defaults.
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
	again                  int  // how often a measurement may be repeated
	loads                  bool // a load generator and a server; else programs that measure themselves
	charges                bool // also measure what the host charges
	short                  bool
	brief                  map[string]any // the values that short sets for flags that are not given
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

// usage is an error in the command line.
type usage struct{ error }

// parse parses the command line. It reports all values that are wrong at once.
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
		return usage{} // package flag has printed the error
	}
	if o.short {
		o.Visit(func(f *flag.Flag) { delete(o.brief, f.Name) })
		for name, v := range o.brief {
			o.Set(name, fmt.Sprint(v)) // ignored by commands without this flag
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

// hasShort gives the command a flag -short: one round, with these seconds and warm-up.
func (o *options) hasShort(seconds, warmup float64) {
	o.BoolVar(&o.short, "short", false, "one round of a moment: shows that all works and measures nothing")
	o.brief = map[string]any{"rounds": 1, "seconds": seconds, "warmup": warmup, "quiet": 1000}
}

// driver adds the flag for Ringo's driver.
func (o *options) driver() *string { return o.String("driver", "uring", "Ringo's `driver`") }

// none checks that there are no arguments.
func (o *options) none() error {
	if o.NArg() > 0 {
		return fmt.Errorf("unexpected arguments %q", o.Args())
	}
	return nil
}

func main() {
	// A second signal kills the program, as if there were no handler; the processes that it has started end with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(call(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// call runs a command line, and returns the exit code.
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
