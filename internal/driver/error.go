package driver

import (
	"errors"
	"fmt"
	"strings"
)

// SetupError says why a driver can't be had here.
type SetupError struct {
	Driver string // which
	Step   string // what was being done, empty if nothing has failed
	Hint   string // the likely cause, and what to change
	Err    error  // an errno, as a rule
}

// Error names driver, step, errno and the likely cause.
func (e *SetupError) Error() string {
	if e == nil {
		return "<nil>"
	}
	var s strings.Builder
	s.WriteString(e.Driver)
	s.WriteString(": ")
	if e.Step != "" && e.Step != e.Driver { // as kqueue(2) is
		s.WriteString(e.Step)
		s.WriteString(": ")
	}
	fmt.Fprint(&s, e.Err)
	if e.Hint != "" {
		s.WriteString(" (")
		s.WriteString(e.Hint)
		s.WriteString(")")
	}
	return s.String()
}

// ErrCostly is why a driver is not opened that could be, with Config.Worth.
var ErrCostly = errors.New("works here, but costs more than epoll")

// Unwrap gives Err.
func (e *SetupError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}
