package driver

import (
	"errors"
	"fmt"
	"strings"
)

// SetupError says why a driver can't be opened here.
type SetupError struct {
	Driver string // the driver's name
	Step   string // what was being done; empty if no call has failed
	Hint   string // the likely cause, and what to change
	Err    error  // usually an errno
}

// Error returns the driver, the step, the errno and the likely cause.
func (e *SetupError) Error() string {
	if e == nil {
		return "<nil>"
	}
	var s strings.Builder
	s.WriteString(e.Driver)
	s.WriteString(": ")
	if e.Step != "" && e.Step != e.Driver { // they are equal for kqueue(2)
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

// ErrCostly is why a driver with Config.Worth is not opened although it would work.
var ErrCostly = errors.New("works here, but costs more than epoll")

// Unwrap returns Err.
func (e *SetupError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}
