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
	"ringo/internal/driver/open"
)

const echoText = `usage: ringo echo [flag ...]

Serves echo over TCP: what a peer sends, it gets back. When all loops listen, a
line per address tells the real port on stderr:

  listening tcp://127.0.0.1:7000 driver=uring loops=2

and if the driver is not uring, one more line says why.

SIGINT and SIGTERM drain: no more connections are accepted, and those that are open
have -grace to end. Then the exit code is 0. A second signal exits at once, with 128
and the signal's number. The variable RINGO_DRIVER overrides -driver; an unknown
name in it is a failure, exit code 1.
`

// echoOptions is the command line of ringo echo.
type echoOptions struct {
	listen  addresses
	driver  string
	loops   int
	pin     bool
	spin    time.Duration
	handler string
	stats   time.Duration
	grace   time.Duration
}

// The handlers, as -handler names them.
const (
	perRequest   = "request"
	perConn      = "conn"
	perGoroutine = "goroutine"
)

// statsMin keeps -stats from being a load of its own.
const statsMin = 10 * time.Millisecond

func parseEcho(args []string, stdout io.Writer) (*echoOptions, error) {
	o := new(echoOptions)
	fs := flag.NewFlagSet("echo", flag.ContinueOnError)
	fs.Var(&o.listen, "listen", "serve on `tcp://HOST:PORT`, port 0 for any; repeatable, and all loops serve all (default tcp://127.0.0.1:7000)")
	fs.StringVar(&o.driver, "driver", open.Auto, "`name` of the driver: "+strings.Join(open.Names(), ", "))
	fs.IntVar(&o.loops, "loops", 0, "`number` of loops, a thread each; 0: GOMAXPROCS, as it is before Ringo raises it")
	fs.BoolVar(&o.pin, "pin", false, "bind loop i to the i-th CPU that the process may use")
	fs.DurationVar(&o.spin, "spin", 0, "look for work for this `duration`, at most, before sleeping")
	fs.StringVar(&o.handler, "handler", perRequest, "`kind` of handler: request, a task while there is input; conn, a task per connection; goroutine, one per connection, as with package net")
	fs.DurationVar(&o.stats, "stats", 0, "print a line of counters, see above, to stderr each such `period`; 0: never")
	fs.DurationVar(&o.grace, "grace", 5*time.Second, "`time` for connections to end in after a signal; 0: none")
	if err := parse(fs, args, stdout, echoText+"\n"+statsHelp()); err != nil {
		return nil, err
	}
	if len(o.listen) == 0 {
		o.listen = addresses{{"tcp", "127.0.0.1:7000"}}
	}
	return o, o.check()
}

// check finds what no single flag's type tells, all mistakes together.
func (o *echoOptions) check() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, &usageError{fmt.Errorf(format, args...)})
		}
	}
	if err := open.Check(o.driver); err != nil {
		want(false, "-driver: %w", err)
	}
	want(o.loops >= 0 && o.loops <= 1024, "-loops %d: want 0 to 1024", o.loops)
	want(!o.pin || o.loops <= runtime.NumCPU() || o.loops > 1024, "-pin with -loops %d: the process may use %d CPUs, and each loop takes one", o.loops, runtime.NumCPU())
	want(o.spin >= 0 && o.spin <= time.Second, "-spin %v: want 0 to 1s", o.spin)
	want(slices.Contains([]string{perRequest, perConn, perGoroutine}, o.handler), "-handler: unknown handler %q: want %s, %s or %s", o.handler, perRequest, perConn, perGoroutine)
	want(o.stats == 0 || o.stats >= statsMin, "-stats %v: want 0, or %v at least", o.stats, statsMin)
	want(o.grace >= 0, "-grace %v: want 0 or more", o.grace)
	return errors.Join(errs...)
}

func (o *echoOptions) config() *ringo.Config {
	c := &ringo.Config{Driver: o.driver, Loops: o.loops, Pin: o.pin, Spin: o.spin, Grace: o.grace}
	if o.grace == 0 {
		c.Grace = -1
	}
	return c
}

// echo runs "ringo echo".
func echo(args []string, stdout, stderr io.Writer) error {
	o, err := parseEcho(args, stdout)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(func(s os.Signal) {
		fmt.Fprintf(stderr, "%v: draining for up to %v; another signal exits at once\n", s, o.grace)
	})
	defer stop()
	sets, err := reserve(o.listen)
	if err != nil {
		return err
	}
	defer release(sets)
	s := newServer(o, sets, stderr)
	defer s.stop()
	return ringo.Run(ctx, o.config(), s.serve)
}
