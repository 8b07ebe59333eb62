//go:build linux

// Ring is the side of package uring that bench ring compares with liburing: it does one work, and prints its
// operations and seconds of CPU time.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	name := flag.String("work", "", "what to do")
	ops := flag.Int("ops", 0, "so many of its operations")
	file := flag.String("file", "", "on this file")
	keepP := flag.Bool("keep-p", false, "uring.Config.KeepP: the scheduler is not told of waits")
	flag.Parse()
	if err := work(*name, *ops, *file, *keepP); err != nil {
		fmt.Fprintln(os.Stderr, "ring:", err)
		os.Exit(1)
	}
}
