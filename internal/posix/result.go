package posix

import (
	"errors"
	"runtime"
)

// Results are Linux's on every system: a value, or an error number of Linux's below zero. Of is the system's own number
// for one, and Result is the way back.

// Error returns the error that a result stands for, which is below zero.
func Error(res int32) error { return Of(res) }

// ErrSystem is the error of what this system doesn't have. It is errors.ErrUnsupported.
var ErrSystem error = unsupported{}

// unsupported is the error of a call that this system doesn't have.
type unsupported struct{}

func (unsupported) Error() string { return "not supported on " + runtime.GOOS }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
