package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"ringo"
)

// options say how a server runs, whatever it serves.
type options struct {
	listen addresses
	driver string
	loops  int
	pin    bool
	spin   time.Duration
	stats  time.Duration
	grace  time.Duration
}

// statsMin keeps -stats from being a load of its own.
const statsMin = 10 * time.Millisecond

// flags adds all of them but -listen, which each server explains.
func (o *options) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.driver, "driver", autoDriver, "`name` of the driver: "+strings.Join(ringo.Drivers(), ", "))
	fs.IntVar(&o.loops, "loops", 0, "`number` of loops, a thread each; 0: GOMAXPROCS, as it is before Ringo raises it")
	fs.BoolVar(&o.pin, "pin", false, "bind loop i to the i-th CPU that the process may use")
	fs.DurationVar(&o.spin, "spin", 0, "look for work for this `duration`, at most, before sleeping")
	fs.DurationVar(&o.stats, "stats", 0, "print a line of counters, see above, to stderr each such `period`; 0: never")
	fs.DurationVar(&o.grace, "grace", 5*time.Second, "`time` for connections to end in after a signal; 0: none")
}

// parse parses a server's arguments.
func (o *options) parse(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
	if err := parse(fs, args, stdout, text); err != nil {
		return err
	}
	if len(o.listen) == 0 {
		o.listen = addresses{{"tcp", "127.0.0.1:7000"}}
	}
	return nil
}

// mistakes collects what no single flag's type tells.
type mistakes []error

func (m *mistakes) want(ok bool, format string, args ...any) {
	if !ok {
		*m = append(*m, &usageError{fmt.Errorf(format, args...)})
	}
}

// check finds the options' mistakes.
func (o *options) check(m *mistakes) {
	drivers := ringo.Drivers()
	m.want(slices.Contains(drivers, o.driver), "-driver: unknown driver %q: want %s", o.driver,
		strings.Join(drivers, ", "))
	m.want(o.loops >= 0 && o.loops <= 1024, "-loops %d: want 0 to 1024", o.loops)
	m.want(!o.pin || o.loops <= runtime.NumCPU() || o.loops > 1024,
		"-pin with -loops %d: the process may use %d CPUs, and each loop takes one", o.loops, runtime.NumCPU())
	m.want(o.spin >= 0 && o.spin <= time.Second, "-spin %v: want 0 to 1s", o.spin)
	m.want(o.stats == 0 || o.stats >= statsMin, "-stats %v: want 0, or %v at least", o.stats, statsMin)
	m.want(o.grace >= 0, "-grace %v: want 0 or more", o.grace)
}

func (m mistakes) err() error { return errors.Join(m...) }

func (o *options) config() *ringo.Config {
	c := &ringo.Config{Driver: o.driver, Loops: o.loops, Pin: o.pin, Spin: o.spin, Grace: o.grace}
	if o.grace == 0 {
		c.Grace = -1
	}
	return c
}

// run runs a server until a signal ends it. begin says what it serves.
func (o *options) run(stderr io.Writer, begin func(s *server)) error {
	ctx, stop := untilSignal(func(s os.Signal) {
		fmt.Fprintf(stderr, "%v: draining for up to %v; another signal exits at once\n", s, o.grace)
	})
	defer stop()
	places, err := reserve(o.listen)
	if err != nil {
		return err
	}
	defer release(places)
	s := newServer(ctx, o, places, stderr)
	defer s.stop()
	begin(s)
	return ringo.Run(ctx, o.config(), s.serve)
}
