package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// A usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// parse parses a command's arguments. All of them must be flags. -h writes text
// and the flags to stdout and gives flag.ErrHelp; a mistake is a *usageError.
func parse(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
	if err := parseNamed(fs, args, stdout, text); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	}
	return nil
}

// parseNamed is parse for commands that take more than flags: the rest is left in fs.
func parseNamed(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, text)
		heading := "\nflags:\n"
		fs.VisitAll(func(*flag.Flag) { io.WriteString(stdout, heading); heading = "" })
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return err
	case err != nil:
		return &usageError{err}
	}
	return nil
}
