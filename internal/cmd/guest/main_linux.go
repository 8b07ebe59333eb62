//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
)

// self is the path of this program in every guest.
const self = "/init"

func main() {
	if os.Getpid() == 1 {
		boot()
	}
	err := errors.New("usage: guest run|with|expect|echo [ARGUMENT ...]")
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; os.Args[1] {
		case "run":
			err = runPlan(args)
		case "with":
			err = with(args)
		case "expect":
			err = expect(args)
		case "echo":
			err = echo(args)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}
