package server

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/cli"
	"ringo/sock"
)

// Ending is the part of each server's help about how it ends.
const Ending = `SIGINT and SIGTERM drain: nobody can connect any more, and what is under way has -grace
to end. Then the exit code is 0. A second signal exits at once, with 128 and the signal's
number. The variable RINGO_DRIVER overrides -driver; an unknown name in it is a failure,
exit code 1.

-config has the flags in a file of TOML, by their names, with lists for those that are
repeatable; what the command line says holds. -t looks for mistakes in all that, starts the
loops, listens nowhere, and ends. With
-config SIGHUP starts the program anew: if the new one serves, by the file as it is by then,
the old one ends when its connections have, -retire later at most. If it can't, it says why
and the old one serves on. Nobody who connects is refused or reset meanwhile. An example:

  listen = ["tcp://0.0.0.0:80"]
  grace = "10s"
  metrics = "9090"
`

// Linger is how long an idle connection of HTTP/1 may still send one more request in a drain, or half of -grace if that
// is less, so that a request does not cross with the connection's end.
const Linger = 5 * time.Second

// Options are the flags of all servers.
type Options struct {
	Listen Addresses
	Driver string
	Loops  int
	// Place is a key of placements.
	Place   string
	Reserve int
	Spin    time.Duration
	SQPoll  time.Duration
	Limits  sock.Limits   // for each address
	Stats   time.Duration // between the lines of counters; 0: none
	Grace   time.Duration
	Debug   string // where the console listens, as parseEndpoint reads it; "": nowhere
	Metrics string // where /metrics listens, likewise
	File    string // TOML file with flags; "": none
	Test    bool   // only check the flags and files
	Retire  time.Duration
}

// placements are the policies by their names in -place.
var placements = map[string]ringo.Placement{
	"any": ringo.Anywhere, "cpu": ringo.PerCPU, "core": ringo.PerCore, "node": ringo.PerNode,
}

// rateMax bounds -accepts, as sock.Limits does.
const rateMax = 1e9

// statsMin is the shortest -stats: shorter periods would be a load of their own.
const statsMin = 10 * time.Millisecond

// Flags adds all flags but -listen, which each server explains itself.
func (o *Options) Flags(fs *flag.FlagSet) {
	fs.StringVar(&o.Driver, "driver", "auto", "`name` of the driver: "+strings.Join(ringo.Drivers(), ", "))
	fs.IntVar(&o.Loops, "loops", 0, "`number` of loops, a thread each; 0: as many as ringo probe says")
	fs.StringVar(&o.Place, "place", "any", "`where` loops are: any, or bound to one cpu each, one core each (leaving "+
		"its other CPUs free), or one node's CPUs")
	fs.IntVar(&o.Reserve, "reserve", 0, "`number` of CPUs, with -place core of cores, that loops leave to all else")
	fs.DurationVar(&o.Spin, "spin", 0, "look for work for this `duration`, at most, before sleeping")
	fs.DurationVar(&o.SQPoll, "sqpoll", 0, "have a thread of the kernel's submit for each loop, which looks for work "+
		"for this `duration` before it sleeps; 0: none")
	fs.IntVar(&o.Limits.Conns, "conns", 0, "`number` of connections to an address that are open at once, at most; "+
		"others wait to be accepted; 0: any")
	fs.IntVar(&o.Limits.ConnsPerPeer, "peer-conns", 0, "`number` of them that one peer may have, which is an address "+
		"of IPv4 or a /64 of IPv6; others are reset; 0: any")
	fs.Float64Var(&o.Limits.Rate, "accepts", 0, "`number` of connections to an address that are accepted in a second; "+
		"others wait; 0: any")
	fs.DurationVar(&o.Stats, "stats", 0, "print a line of counters, see above, to stderr each such `period`; 0: never")
	fs.StringVar(&o.Debug, "debug", "", "serve the console, a page for browsers, at this `address`: PORT, on "+
		"127.0.0.1, or HOST:PORT, for whoever can reach that; \"\": none")
	fs.StringVar(&o.Metrics, "metrics", "", "serve /metrics, for Prometheus, at this `address`, as -debug; \"\": none")
	fs.DurationVar(&o.Grace, "grace", 5*time.Second, "`time` that what is under way has to end by itself after a "+
		"signal, before it is cut off; 0: it is cut off at once")
	fs.StringVar(&o.File, "config", "", "`FILE` that has flags, too, see above")
	fs.BoolVar(&o.Test, "t", false, "look for mistakes, in all files too, tell, and end")
	fs.DurationVar(&o.Retire, "retire", time.Hour, "`time` that connections may last when SIGHUP has started the "+
		"program anew")
}

// Parse parses a server's arguments, then its file of -config. names is how many arguments besides flags are allowed.
// If there is no -listen, it is the TCP address.
func (o *Options) Parse(fs *flag.FlagSet, args []string, names int, address string, stdout io.Writer,
	text string) error {
	if err := cli.ParseNamed(fs, args, stdout, text); err != nil {
		return err
	}
	if fs.NArg() > names {
		return cli.Usage("unexpected argument %q", fs.Arg(names))
	}
	if o.File != "" {
		if err := cli.ReadFlags(fs, o.File, "config", "t"); err != nil {
			return fmt.Errorf("-config: %w", err)
		}
	}
	if len(o.Listen) == 0 {
		o.Listen = Addresses{{"tcp", address}}
	}
	return nil
}

// Check adds to m the mistakes of the options.
func (o *Options) Check(m *cli.Mistakes) {
	drivers := ringo.Drivers()
	m.Want(slices.Contains(drivers, o.Driver), "-driver: unknown driver %q: want %s", o.Driver,
		strings.Join(drivers, ", "))
	m.Want(o.Limits.Conns >= 0, "-conns %d: want 0 or more", o.Limits.Conns)
	m.Want(o.Limits.ConnsPerPeer >= 0, "-peer-conns %d: want 0 or more", o.Limits.ConnsPerPeer)
	m.Want(o.Limits.Rate >= 0 && o.Limits.Rate <= rateMax, "-accepts %v: want 0 to %g", o.Limits.Rate, rateMax)
	m.Want(o.Loops >= 0 && o.Loops <= 1024, "-loops %d: want 0 to 1024", o.Loops)
	_, known := placements[o.Place]
	m.Want(known, "-place %q: want any, cpu, core or node", o.Place)
	cpus := runtime.NumCPU()
	m.Want(o.Place != "cpu" && o.Place != "core" || o.Loops <= cpus || o.Loops > 1024,
		"-place %s with -loops %d: the process may use %d CPUs, and each loop takes one", o.Place, o.Loops, cpus)
	m.Want(o.Reserve == 0 || o.Reserve > 0 && o.Reserve < cpus,
		"-reserve %d: the process may use %d CPUs, and loops need one", o.Reserve, cpus)
	m.Want(o.SQPoll == 0 || o.SQPoll >= time.Millisecond && o.SQPoll <= 10*time.Second,
		"-sqpoll %v: want 1ms to 10s, or 0", o.SQPoll)
	m.Want(o.Spin >= 0 && o.Spin <= time.Second, "-spin %v: want 0 to 1s", o.Spin)
	m.Want(o.Stats == 0 || o.Stats >= statsMin, "-stats %v: want 0, or %v at least", o.Stats, statsMin)
	for _, page := range [][2]string{{"debug", o.Debug}, {"metrics", o.Metrics}} {
		if page[1] != "" {
			_, err := parseEndpoint(page[0], page[1])
			m.Want(err == nil, "%v", err)
		}
	}
	m.Want(o.Grace >= 0, "-grace %v: want 0 or more", o.Grace)
	m.Want(o.Retire > 0, "-retire %v: want more than 0", o.Retire)
	for _, a := range o.Listen {
		m.Want(o.File == "" || !slices.Contains(datagramNetworks, a.Network),
			"-config is not for %v, whose datagrams would be lost when the program starts anew", a)
	}
}

// Config returns the Config for ringo.Run.
func (o *Options) Config() *ringo.Config {
	c := &ringo.Config{Driver: o.Driver, Loops: o.Loops, Place: placements[o.Place], Reserve: o.Reserve, Spin: o.Spin,
		SQPoll: o.SQPoll, Grace: o.Grace}
	switch {
	case o.File != "":
		c.Grace = o.Retire // unless a signal ends it
	case o.Grace == 0:
		c.Grace = -1
	}
	return c
}

// Run runs a server until a signal ends it. begin is called before the loops start, and sets what the server serves.
func (o *Options) Run(stderr io.Writer, begin func(s *Server)) error {
	if o.Test {
		// What a start refuses only a start can tell: a driver that can't run here, or the variables' settings.
		if err := ringo.Run(context.Background(), o.Config(), func(*ringo.Loop) error { return nil }); err != nil {
			return err
		}
		fmt.Fprintln(stderr, "no mistakes were found")
		return nil
	}
	var grace grace
	ctx, stop := cli.UntilSignal(func(s os.Signal) {
		fmt.Fprintf(stderr, "%v: draining for up to %v; another signal exits at once\n", s, o.Grace)
		grace.set(o.Grace)
	})
	defer stop()
	s, err := Open(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	s.grace = &grace
	begin(s)
	for _, page := range []struct {
		flag, at string
		open     func(*endpoint, *Server) (stop func(), err error)
	}{{"debug", o.Debug, (*endpoint).openConsole}, {"metrics", o.Metrics, (*endpoint).openMetrics}} {
		if page.at == "" {
			continue
		}
		e, err := parseEndpoint(page.flag, page.at)
		if err != nil {
			return err
		}
		stop, err := page.open(e, s)
		if err != nil {
			return err
		}
		defer stop()
	}
	return ringo.Run(s.Context, o.Config(), s.Serve)
}
