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

// Usage returns a UsageError with a text as by fmt.Errorf.
func Usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Parse parses a command's arguments, all of which must be flags. For -h it writes text and the flags to stdout and
// returns flag.ErrHelp. A mistake is a *UsageError.
func Parse(fs *flag.FlagSet, args []string, stdout io.Writer, text string) error {
	if err := ParseNamed(fs, args, stdout, text); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return Usage("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

// ParseNamed is Parse for commands that also take other arguments: it leaves these in fs.
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

// Mistakes collects the mistakes that the types of the flags can't find.
type Mistakes []error

// Want adds a mistake unless ok.
func (m *Mistakes) Want(ok bool, format string, args ...any) {
	if !ok {
		*m = append(*m, Usage(format, args...))
	}
}

// WantBeside adds a mistake if the flag called name is given without the other one, without which it has no effect. has
// says whether the other one is there.
func (m *Mistakes) WantBeside(fs *flag.FlagSet, name, other string, has bool) {
	fs.Visit(func(f *flag.Flag) {
		if f.Name == name {
			m.Want(has, "-%s: want %s, too", name, other)
		}
	})
}

// Err returns all mistakes as one error, nil if there are none.
func (m Mistakes) Err() error { return errors.Join(m...) }
