//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

// options is the command line.
type options struct {
	rounds         int
	seconds        float64
	warmup         float64
	quiet          float64
	quick, install bool
	only, cells    *regexp.Regexp
	from           string
	html, record   string
	cpu, loadCPU   int
	list           bool
	command        string
}

// What -quick and its absence stand for.
const (
	roundsFull, roundsQuick   = 9, 6
	secondsFull, secondsQuick = 0.3, 0.25
)

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{command: "go run ./compare"}
	for _, a := range args {
		o.command += " " + a
	}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "measure the servers only whose names match this `expression`")
	cells := f.String("cells", "", "measure the cells only whose names match this `expression`, as echo/50x64$")
	f.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf("rounds; 0: %d, or with -quick %d; fewer than 6 conclude nothing",
		roundsFull, roundsQuick))
	f.Float64Var(&o.seconds, "seconds", 0, fmt.Sprintf("length of a measured window; 0: %v, or with -quick %v",
		secondsFull, secondsQuick))
	f.Float64Var(&o.warmup, "warmup", 0.15, "seconds before it")
	f.Float64Var(&o.quiet, "quiet", 10,
		"`percent` of a core that other programs may take; samples with more are made again, up to twice")
	f.BoolVar(&o.quick, "quick", false, "three minutes: fewer cells, servers and rounds")
	f.BoolVar(&o.install, "install", false, "apt-get install what is missing first, as root")
	f.BoolVar(&o.list, "list", false, "list cells and servers, and measure nothing")
	f.StringVar(&o.from, "from", "", "measure nothing: make tables and page from the record in this `file`")
	f.StringVar(&o.html, "html", "", "write the page to this `file`; default out/report.html in bench")
	f.StringVar(&o.record, "record", "", "write the record to this `file`; default out/compare.jsonl in bench")
	f.IntVar(&o.cpu, "server-cpu", 0, "the `CPU` for servers")
	f.IntVar(&o.loadCPU, "load-cpu", 1, "the `CPU` for the load generator")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var errs []error
	check := func(ok bool, format string, v ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, v...))
		}
	}
	expression := func(flag, text string) *regexp.Regexp {
		re, err := regexp.Compile(text)
		check(err == nil, "-%s: %v", flag, err)
		return re
	}
	o.only, o.cells = expression("only", *only), expression("cells", *cells)
	check(f.NArg() == 0, "unexpected arguments %q", f.Args())
	check(o.rounds >= 0, "-rounds is %d, want at least 1, or 0 for the default", o.rounds)
	check(o.seconds >= 0 && o.warmup >= 0, "-seconds %v and -warmup %v: want at least 0", o.seconds, o.warmup)
	check(o.cpu != o.loadCPU, "-server-cpu and -load-cpu are both %d: servers need a core of their own", o.cpu)
	o.setDefaults()
	err := errors.Join(errs...)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return o, err
}

func (o *options) setDefaults() {
	if o.rounds == 0 {
		o.rounds = roundsFull
		if o.quick {
			o.rounds = roundsQuick
		}
	}
	if o.seconds == 0 {
		o.seconds = secondsFull
		if o.quick {
			o.seconds = secondsQuick
		}
	}
}

// findBench is the directory of the module, from the one that it is run in.
func findBench() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		for _, bench := range []string{d, filepath.Join(d, "bench")} {
			if _, err := os.Stat(filepath.Join(bench, "cmd", "load", "main.go")); err == nil {
				return bench, nil
			}
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no module bench at or above %s", dir)
		}
	}
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(2)
	}
	// The second signal ends the program as if there was no handler; what it has started ends with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	ok, err := o.run(ctx, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context, stdout, stderr io.Writer) (ok bool, err error) {
	bench, err := findBench()
	if err != nil {
		return false, err
	}
	if o.list {
		return true, list(stdout)
	}
	if o.html == "" {
		o.html = filepath.Join(bench, "out", "report.html")
	}
	if o.record == "" {
		o.record = filepath.Join(bench, "out", "compare.jsonl")
	}
	if o.from == "" {
		if err := o.measure(ctx, bench, stderr); err != nil {
			return false, err
		}
		o.from = o.record
	}
	return o.report(stdout, stderr)
}
