//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"ringo/bench/internal/sample"
)

var modes = []string{"echo", "crowd", "churn", "idle", "httpidle", "slow", "httpslow", "http", "json", "get", "set",
	"udp", "tls", "handshake", "flood", "sink", "paced"}

// config is the command line.
type config struct {
	mode      string
	addr      string
	path      string
	conns     int
	size      int
	depth     int
	seconds   float64
	warmup    float64
	pid       int
	beside    int
	peers     int
	active    int
	receive   int
	peerBytes uint64
	rate      float64
	patience  float64
	json      bool
}

func (c *config) idle() bool { return c.mode == "idle" || c.mode == "httpidle" }

func (c *config) bulk() bool { return c.mode == "flood" || c.mode == "sink" }

// allConns counts the peers of the slow modes too.
func (c *config) allConns() int {
	if c.mode == "slow" || c.mode == "httpslow" {
		return c.conns + c.peers
	}
	return c.conns
}

// sourceAddrs returns how many source addresses 127.0.0.x the mode needs.
func (c *config) sourceAddrs() int {
	if c.mode == "churn" {
		return 64 // closed connections keep their ports for a while
	}
	return 1 + c.allConns()/portsPerSource
}

func parse(args []string) (*config, error) {
	c := new(config)
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.StringVar(&c.mode, "mode", "echo", "`mode`: "+strings.Join(modes, ", "))
	f.StringVar(&c.addr, "addr", "127.0.0.1:7000", "the server's `address`, host:port")
	f.StringVar(&c.path, "path", "/", "what to ask for (http, httpidle, httpslow)")
	f.IntVar(&c.conns, "conns", 50, "connections at a time")
	f.IntVar(&c.size, "size", 64, "`bytes` per message, body or value")
	f.IntVar(&c.depth, "depth", 1,
		"messages in flight per connection (not in modes crowd, churn, idle, tls and handshake)")
	f.Float64Var(&c.seconds, "seconds", 2, "length of the measured window")
	f.Float64Var(&c.warmup, "warmup", 0.5, "seconds before the measured window")
	f.IntVar(&c.pid, "pid", 0, "the server's process `id`, to report its CPU time and memory")
	f.IntVar(&c.beside, "beside", 0,
		"process `id` of what stands behind the server, whose CPU time counts as the load's; 0: nothing")
	f.IntVar(&c.active, "active", 10, "connections that send, of all that there are (crowd)")
	f.IntVar(&c.peers, "peers", 1024,
		"connections that send and never read (slow), or are slow in other ways (httpslow)")
	f.Uint64Var(&c.peerBytes, "peer-bytes", 8<<20, "most `bytes` that such a peer sends (slow)")
	f.Float64Var(&c.rate, "rate", 10_000, "messages a second, on all connections together (paced)")
	f.IntVar(&c.receive, "receive", 0,
		"`bytes` of each connection's receive buffer (SO_RCVBUF); 0: as the system tunes it")
	f.Float64Var(&c.patience, "patience", 10,
		"seconds that connecting may take, and for which nothing may come while replies are owed")
	f.BoolVar(&c.json, "json", false, "print the result as one line of JSON")
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: load [flags]\n\nMeasures a TCP server, verifying every byte. Exit code "+
			"1 after any error.\n\n")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var errs []error
	check := func(ok bool, format string, v ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, v...))
		}
	}
	check(f.NArg() == 0, "unexpected arguments %q", f.Args())
	check(slices.Contains(modes, c.mode), "-mode %q is none of %s", c.mode, strings.Join(modes, ", "))
	check(c.conns > 0, "-conns is %d, want at least 1", c.conns)
	check(c.active > 0, "-active is %d, want at least 1", c.active)
	check(c.receive >= 0, "-receive is %d, want at least 0", c.receive)
	check(c.size > 0, "-size is %d, want at least 1", c.size)
	check(c.depth > 0, "-depth is %d, want at least 1", c.depth)
	check(c.seconds > 0 && c.warmup >= 0, "-seconds %v and -warmup %v: want more than 0 and at least 0", c.seconds,
		c.warmup)
	check(c.rate > 0 && c.rate <= 10e6, "-rate is %v, want more than 0 and at most 10 million", c.rate)
	check(!c.bulk() || c.conns == 1 && c.size >= 8 && c.size <= pieceSent,
		"-mode %s has one connection and sizes from 8 to %d", c.mode, pieceSent)
	check(strings.HasPrefix(c.path, "/") && !strings.ContainsAny(c.path, " \r\n"), "-path %q is not of the form /PATH",
		c.path)
	check(!c.idle() || c.pid > 0, "-mode %s needs -pid", c.mode)
	err := errors.Join(errs...)
	if err != nil {
		fmt.Fprintln(f.Output(), err)
	}
	return c, err
}

func main() {
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(2)
	}
	if c.mode != "tls" && c.mode != "handshake" {
		debug.SetGCPercent(-1) // nothing is allocated for a request, and a collection would show in the latencies
	}
	s, err := run(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if c.json {
		json.NewEncoder(os.Stdout).Encode(s)
	} else {
		printText(s)
	}
	if s.Errors > 0 || s.Mismatches > 0 {
		os.Exit(1)
	}
}

func printText(s *sample.Sample) {
	fmt.Printf("%s: %d connections x %d bytes, depth %d, %.2f s\n", s.Mode, s.Conns, s.Size, s.Depth, s.Seconds)
	fmt.Printf("  requests   %d, %.0f/s (in the whole run %d)\n", s.Requests, s.PerSecond, s.AllTime)
	fmt.Printf("  latency    p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f us\n", s.P50, s.P99, s.P999, s.Max)
	fmt.Printf("  CPU        server %.3f us a request; of a core: server %.4f, load %.4f, all others %.4f\n",
		s.CPUMicros, s.ServerBusy, s.LoadBusy, s.OtherBusy)
	if s.DiskRead > 0 {
		fmt.Printf("  disk       %.0f KiB/s read by the server\n", s.DiskRead/1024)
	}
	if s.RSSAfter > 0 {
		fmt.Printf("  memory     server RSS %d -> %d KiB, %.3f KiB a connection\n",
			s.RSSBefore>>10, s.RSSAfter>>10, s.RSSPerConn/1024)
	}
	for _, what := range slices.Sorted(maps.Keys(s.Figures)) {
		fmt.Printf("  %s: %.0f\n", what, s.Figures[what])
	}
	fmt.Printf("  verified   %d mismatches, %d errors, %d starved connections\n", s.Mismatches, s.Errors, s.Starved)
}
