//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ringo/bench/internal/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gate:", err)
		ok = false
	}
	if !ok {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (ok bool, err error) {
	f := flag.NewFlagSet("gate ratios | gate calls", flag.ExitOnError)
	bin := f.String("bin", "bin", "`directory` of ringo, load and the servers it is compared with")
	drivers := f.String("drivers", "uring,epoll", "`list` of drivers")
	rounds := f.Int("rounds", 25, "`number` of rounds (ratios)")
	warmup := f.Duration("warmup", 20*time.Millisecond, "`duration` before each window (ratios)")
	window := f.Duration("window", 80*time.Millisecond, "`duration` of each window (ratios)")
	counting := f.Duration("counting", time.Second, "`duration` of the count on each driver (calls)")
	if len(args) == 0 {
		f.Usage()
		os.Exit(2)
	}
	f.Parse(args[1:])
	b, err := newBed(*bin)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	list := strings.Split(*drivers, ",")
	switch args[0] {
	case "ratios":
		r := &ratios{bed: b, rounds: *rounds, warmup: *warmup, window: *window, out: os.Stdout}
		return r.run(ctx, boundsOn(list))
	case "calls":
		return calls(ctx, b, list, *counting)
	}
	f.Usage()
	os.Exit(2)
	return
}

// boundsOn are the bounds of servers on these drivers.
func boundsOn(drivers []string) []ratioBound {
	return slices.DeleteFunc(slices.Clone(ratioBounds), func(b ratioBound) bool {
		return !slices.Contains(drivers, strings.Split(b.server, "-")[1])
	})
}

func calls(ctx context.Context, b *rig.Rig, drivers []string, window time.Duration) (ok bool, err error) {
	ok = true
	for _, driver := range drivers {
		bounds, known := callBounds[driver]
		if !known {
			return false, fmt.Errorf("there is no bound for driver %q", driver)
		}
		c := cell{50, 64, 1}
		counts, requests, took, err := countCalls(ctx, b, driver, c, window)
		for n := time.Duration(2); err == nil && requests < enough(c.conns) && n <= longestCount; n *= 2 {
			counts, requests, took, err = countCalls(ctx, b, driver, c, n*window) // the machine had no time for it
		}
		if err != nil {
			return false, err
		}
		lines, good := judgeCalls(bounds, counts, requests, c.conns, took)
		fmt.Printf("%s, %v\n  %s\n", driver, c, strings.Join(lines, "\n  "))
		ok = ok && good
	}
	return ok, nil
}
