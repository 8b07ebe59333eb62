//go:build linux

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
)

// socketPairs are what sockets measures. A cell is the pair's name and a load; servers are named with the default
// driver. A load go:PACKAGE:NAME is a Go benchmark, whose cases are the servers.
var socketPairs = []pair{
	{"http/http:50x13", "http-uring-goroutine", "http-net", atLeast("", 0.97)},
	{"http/http:1000x13", "http-uring-goroutine", "http-net", atLeast("", 0.97)},
	{"http/http:50x13", "sockhttp-uring-conn", "http-net", atLeast("", 1.6)},
	{"http/http:50x13", "sockhttp-uring-goroutine", "http-net", atLeast("", 1.15)},
	{"http/http:1000x13", "sockhttp-uring-conn", "http-net", atLeast("", 1.7)},
	{"http/http:1000x13", "sockhttp-uring-goroutine", "http-net", atLeast("", 1.3)},
	{"http/http:50x13", "sockhttp-uring-conn", "fasthttp-net", shown},
	{"fasthttp/http:50x13", "fasthttp-uring-conn", "fasthttp-net", atLeast("", 1.15)},
	{"fasthttp/http:1000x13", "fasthttp-uring-conn", "fasthttp-net", atLeast("", 1.15)},
	{"hertz/http:50x13", "hertz-uring-conn", "hertznetpoll-net", atLeast("", 1.3)},
	{"hertz/http:50x13", "hertz-uring-conn", "hertz-net", shown},
	{"hertz/http:50x13", "hertz-uring-goroutine", "hertznetpoll-net", shown},
	{"hertz/json:50x27", "hertz-uring-conn", "hertznetpoll-net", atLeast("", 1.3)},
	{"hertz/json:50x27", "hertz-uring-conn", "hertz-net", shown},
	{"hertz/json:50x27", "hertz-uring-goroutine", "hertznetpoll-net", shown},
	{"redis/get:50x64", "redis-uring-conn", "redis-net", atLeast("", 1.1)},
	{"redis/get:50x64", "redis-uring-conn", "redis-server", shown},
	{"redis/set:50x64", "redis-uring-conn", "redis-net", atLeast("", 1.1)},
	{"redis/set:50x64", "redis-uring-conn", "redis-server", shown},
	{"redis/get:50x64x16", "redis-uring-conn", "redis-net", atLeast("", 1.2)},
	{"redis/get:50x64x16", "redis-uring-conn", "redis-server", shown},
	{"redis/set:50x64x16", "redis-uring-conn", "redis-net", atLeast("", 1.2)},
	{"redis/set:50x64x16", "redis-uring-conn", "redis-server", shown},
	{"tls/tls:16x16384", "tls-uring-conn", "tls-net", atLeast("", 0.97)},
	{"tls/tls:16x16384", "tls-uring-goroutine", "tls-net", atLeast("", 0.97)},
	{"tls/handshake:16x64", "tls-uring-conn", "tls-net", atLeast("", 0.97)},
	{"tls/handshake:16x64", "tls-uring-goroutine", "tls-net", atLeast("", 0.97)},
	{"udp/udp:16x64", "udp-uring-conn", "udp-net", atLeast("", 1.05)},
	{"udp/udp:16x64", "udpbatch-uring-conn", "udp-net", atLeast("", 1.05)},
	{"udp/udp:16x64", "udpbatch-uring-conn", "udp-c", shown},
	{"udp/udp:16x64", "udpserve-uring-conn", "udp-net", shown},
	{"udp/udp:16x64", "udp-uring-goroutine", "udp-net", shown},
	{"udp/udp:16x64x4", "udp-uring-conn", "udp-net", shown},
	{"udp/udp:16x64x4", "udpbatch-uring-conn", "udp-net", atLeast("", 1.3)},
	{"udp/udp:16x64x4", "udpbatch-uring-conn", "udp-c", atLeast("", 0.95)},
	{"udp/udp:16x64x4", "udpserve-uring-conn", "udp-net", atLeast("", 1.2)},
	{"udp/udp:16x1200x4", "udp-uring-conn", "udp-net", shown},
	{"udp/udp:16x1200x4", "udpbatch-uring-conn", "udp-net", shown},
	{"udp/udp:16x1200x4", "udpbatch-uring-conn", "udp-c", atLeast("", 0.95)},
	{"bulk/flood:1x1200", "bulkrecv-uring-conn", "bulkrecv-c", atLeast("", 0.9)},
	{"bulk/sink:1x1200", "bulksend-uring-conn", "bulksend-c", atLeast("", 0.9)},
	{"proxy/echo:50x64", "proxy-uring", "proxy-net", atLeast("", 1)},
	{"proxy/echo:50x16384", "proxy-uring", "proxy-net", atLeast("", 1)},
	{"proxy/echo:8x262144", "proxy-uring", "proxy-net", atLeast("", 1)},
	{"proxy/idle:1000x64", "proxy-uring", "proxy-net", above("rss", 0)},
	{"idle/idle:100000x64", "ringo-uring-request", "echo-net", itself("rss", 1)},
	{"idle/idle:100000x64", "ringo-uring-conn", "echo-net", itself("rss", 4)},
	{"idle/idle:100000x64", "echo-uring-goroutine", "echo-net", above("rss", 0.5)},
	{"chan/go:.:Chan", "cap=0/driver=uring", "", itself("us", 0.15)},
	{"chan/go:.:Chan", "cap=1/driver=uring", "", itself("us", 0.15)},
	{"chan/go:.:Chan", "cap=64/driver=uring", "", itself("us", 0.15)},
	{"chan/go:.:ChanAcross", "cap=64/driver=uring", "", itself("us", 2)},
	{"chan/go:.:ChanAcrossPairs", "driver=uring", "", itself("us", 2)},
	{"touched/go:./sock:Touched", "driver=uring/touch=read/conns=50", "", itself("own", 1.03)},
	{"touched/go:./sock:Touched", "driver=uring/touch=handshake/conns=50", "", itself("own", 1.03)},
}

// idleRounds are enough for idle loads.
const idleRounds = 3

// sockets measures what programs cost on Ringo's sockets and on package net, beside C where there is a reference.
func sockets(ctx context.Context, o *options) error {
	loads := o.String("loads", "", "only the loads that match this `expression`")
	driver := o.driver()
	o.hasShort(0.1, 0.02)
	var pairs []pair
	choose := func() (err error) {
		pairs, err = choosePairs(o.Args(), *loads, *driver, o.short)
		return err
	}
	if err := o.parse(choose); err != nil {
		return err
	}
	cells, err := pairCells(pairs, o.seconds)
	if err != nil {
		return err
	}
	return o.judgedLoads(ctx, cells, pairs)
}

// choosePairs returns the pairs with these names, or all, under the loads that match, on a driver.
func choosePairs(names []string, loads, driver string, short bool) (chosen []pair, err error) {
	match, err := regexp.Compile(loads)
	if err != nil {
		return nil, fmt.Errorf("-loads: %w", err)
	}
	var known []string
	for _, p := range socketPairs {
		name, load, _ := strings.Cut(p.cell, "/")
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
		if len(names) > 0 && !slices.Contains(names, name) || !match.MatchString(load) {
			continue
		}
		if short {
			p.cell = strings.Replace(p.cell, "idle:100000x", "idle:1000x", 1)
		}
		p.server, p.base = onDriver(p.server, driver), onDriver(p.base, driver)
		chosen = append(chosen, p)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no pair %s: there are %s", name, strings.Join(known, " "))
		}
	}
	if chosen == nil {
		return nil, fmt.Errorf("no load of these pairs matches %s", loads)
	}
	return chosen, nil
}

var uringWord = regexp.MustCompile(`([-=])uring\b`)

// onDriver returns a server's name with another driver in place of the default.
func onDriver(name, driver string) string { return uringWord.ReplaceAllString(name, "${1}"+driver) }

// pairCells returns the cells of pairs, each with its servers, bases first.
func pairCells(pairs []pair, seconds float64) (cells []contest.Cell, err error) {
	for _, p := range pairs {
		i := slices.IndexFunc(cells, func(c contest.Cell) bool { return c.Name() == p.cell })
		if i < 0 {
			kind, load, _ := strings.Cut(p.cell, "/")
			c := contest.Cell{Kind: contest.Kind(kind), Load: load, Command: map[string]contest.Command{}}
			if !strings.HasPrefix(load, "go:") {
				if c, err = contest.Parse(c.Kind, load); err != nil {
					return nil, err
				}
			}
			if c.Mode == "idle" {
				c.Rounds = idleRounds
			}
			i = len(cells)
			cells = append(cells, c)
		}
		c := &cells[i]
		for _, server := range []string{p.base, p.server} {
			if server != "" && !slices.Contains(c.Servers, server) {
				c.Servers = append(c.Servers, server)
			}
		}
		if word := strings.SplitN(c.Load, ":", 3); word[0] == "go" {
			c.Command[p.server] = benchmark(word[1], "^Benchmark"+word[2]+"$/^"+
				strings.ReplaceAll(p.server, "/", "$/^")+"$", fmt.Sprint(seconds, "s"))
		}
	}
	return cells, nil
}

// benchmark returns the command of a Go benchmark of a package of the main module.
func benchmark(pkg, pattern, times string) contest.Command {
	return contest.Command{Argv: []string{"{test " + pkg + "}", "-test.run=^$", "-test.bench=" + pattern,
		"-test.benchtime=" + times, "-test.timeout=10m"}, Figures: parseBench}
}

// parseBench returns the figures of the first benchmark line in output, by unit.
func parseBench(output string) map[string]float64 {
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		f := map[string]float64{}
		for i := 2; i+1 < len(words); i += 2 {
			var v float64
			if _, err := fmt.Sscan(words[i], &v); err == nil {
				f[words[i+1]] = v
			}
		}
		return f
	}
	return nil
}
