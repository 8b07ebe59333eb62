//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	restarts := flag.Int("restarts", 100, "how often each server is replaced")
	every := flag.Duration("every", time.Second/2, "how long a server serves before it is replaced")
	rate := flag.Int("rate", 200, "connections of one request, a second")
	kept := flag.Int("kept", 200, "connections that stay")
	names := flag.String("servers", strings.Join(names(), ","), "which servers")
	serve := flag.String("serve", "", "be that server, on the address -listen")
	listen := flag.String("listen", "", "see -serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		if *serve != "" {
			return serveAs(*serve, *listen)
		}
		if *rate < 1 || *rate > 10_000 {
			return errors.New("want -rate between 1 and 10000")
		}
		fmt.Printf("%-30s %9s %24s %24s %16s\n", "", "restarts", "one request: asked, lost", "kept: asked, lost",
			"closed at rest")
		for _, name := range strings.Split(*names, ",") {
			if err := play(ctx, name, *restarts, *every, *rate, *kept); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "restarts:", err)
		os.Exit(1)
	}
}

// play replaces a server so often, and prints what became of its clients.
func play(ctx context.Context, name string, restarts int, every time.Duration, rate, kept int) error {
	s, err := start(ctx, name)
	if err != nil {
		return err
	}
	defer s.stop()
	began := begin(s.addr, rate, kept)
	err = s.replaced(ctx, restarts, every)
	if err := errors.Join(err, began.end()); err != nil {
		return err
	}
	c := &began.counts
	fmt.Printf("%-30s %9d %17d %6d %17d %6d %16d\n", s.title, restarts, c.once.asked.Load(), c.once.lost.Load(),
		c.kept.asked.Load(), c.kept.lost.Load(), c.closed.Load())
	for what, n := range began.why() {
		fmt.Printf("    %6d x %s\n", n, what)
	}
	return nil
}
