package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit codes.
const (
	ExitFailure = 1
	ExitUsage   = 2
)

// A UsageError is a mistake on the command line.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usage is a UsageError in the words of fmt.Errorf.
func Usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Parse parses a command's arguments. All of them must be flags. -h writes text
// and the flags to stdout and gives flag.ErrHelp; a mistake is a *UsageError.
func Parse(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
	if err := ParseNamed(fs, args, stdout, text); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return Usage("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

// ParseNamed is Parse for commands that take more than flags: the rest is left in fs.
func ParseNamed(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
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
		return &UsageError{err}
	}
	return nil
}

// Mistakes collects what no single flag's type tells.
type Mistakes []error

// Want notes a mistake unless ok.
func (m *Mistakes) Want(ok bool, format string, args ...any) {
	if !ok {
		*m = append(*m, Usage(format, args...))
	}
}

// WantBeside notes a mistake if a flag is given without another, which alone makes it count.
func (m *Mistakes) WantBeside(fs *flag.FlagSet, name, other string, has bool) {
	fs.Visit(func(f *flag.Flag) {
		if f.Name == name {
			m.Want(has, "-%s: want %s, too", name, other)
		}
	})
}

// Err is all of them, or nil.
func (m Mistakes) Err() error { return errors.Join(m...) }
