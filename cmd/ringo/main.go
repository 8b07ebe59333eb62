package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"ringo/cmd/ringo/bench"
	"ringo/cmd/ringo/echo"
	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/probe"
	"ringo/cmd/ringo/proxy"
	"ringo/cmd/ringo/serve"
	"ringo/cmd/ringo/top"
)

// A command is one word after the program's name.
type command struct {
	name, summary string
	run           func(args []string, stdout, stderr io.Writer) error
}

// commands is in order of appearance in the help.
var commands = []command{
	{"echo", "serve echo over TCP, UDP and Unix sockets", echo.Run},
	{"proxy", "pass connections on to other addresses", proxy.Run},
	{"serve", "serve the files of a directory over HTTP", serve.Run},
	{"bench", "measure servers and files here beside packages net and os, with advice", bench.Run},
	{"top", "show the loops, tasks and connections of a program that has the console", top.Run},
	{"probe", "tell what io_uring offers here, and which driver is used", probe.Run},
	{"version", "tell what this tool was built from", version},
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs a command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		writeHelp(stderr)
		return cli.ExitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		writeHelp(stdout)
		return 0
	case "-version", "--version":
		name = "version"
	case "help":
		if len(rest) == 0 {
			writeHelp(stdout)
			return 0
		}
		name, rest = rest[0], []string{"-h"}
	}
	for _, c := range commands {
		if c.name == name {
			return fail(c.run(rest, stdout, stderr), c.name, stderr)
		}
	}
	fmt.Fprintf(stderr, "ringo: unknown command %q\n", name)
	fmt.Fprintln(stderr, `"ringo -h" lists the commands.`)
	return cli.ExitUsage
}

// fail prints the error of a command to stderr, one line per mistake, and returns the exit code.
func fail(err error, name string, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "ringo %s: %s\n", name, line)
	}
	if usage := (*cli.UsageError)(nil); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "\"ringo %s -h\" describes the flags.\n", name)
		return cli.ExitUsage
	}
	return cli.ExitFailure
}

func writeHelp(w io.Writer) {
	fmt.Fprint(w, "Ringo runs plain blocking Go on io_uring, a thread per core, and on epoll where there is none.\n\n"+
		"usage: ringo COMMAND [flag ...]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n\"ringo COMMAND -h\" describes a command's flags.\n"+
		"Exit codes: 0 success, 1 failure, 2 wrong command line.\n")
}
