//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ringo/bench/internal/rig"
)

const (
	rounds   = 25                    // of ratios
	warmup   = 20 * time.Millisecond // before each window
	window   = 80 * time.Millisecond // of each ratio
	counting = time.Second           // of the count on each driver
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
	if len(args) == 0 || args[0] != "ratios" && args[0] != "calls" {
		f.Usage()
		os.Exit(2)
	}
	f.Parse(args[1:])
	b, err := rig.Open("")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if b.Bin, err = filepath.Abs(*bin); err != nil {
		return false, err
	}
	list := strings.Split(*drivers, ",")
	if args[0] == "calls" {
		return calls(ctx, b, list)
	}
	b.Warmup, b.Seconds = warmup.Seconds(), window.Seconds()
	b.Quiet, b.Again, b.Spare = math.Inf(1), starvedMax, starvedMax
	return (&ratios{bed: b, rounds: rounds, out: os.Stdout}).run(ctx, boundsOn(list))
}

// boundsOn returns the bounds of servers on these drivers.
func boundsOn(drivers []string) []ratioBound {
	return slices.DeleteFunc(slices.Clone(ratioBounds), func(b ratioBound) bool {
		return !slices.Contains(drivers, strings.Split(b.server, "-")[1])
	})
}

func calls(ctx context.Context, b *rig.Rig, drivers []string) (ok bool, err error) {
	ok = true
	for _, driver := range drivers {
		bounds, known := callBounds[driver]
		if !known {
			return false, fmt.Errorf("there is no bound for driver %q", driver)
		}
		c := cell{50, 64, 1}
		counts, requests, took, err := countCalls(ctx, b, driver, c, counting)
		for n := time.Duration(2); err == nil && requests < enough(c.conns) && n <= longestCount; n *= 2 {
			counts, requests, took, err = countCalls(ctx, b, driver, c, n*counting) // the machine was too busy
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
