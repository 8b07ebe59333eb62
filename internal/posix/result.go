package posix

import (
	"errors"
	"runtime"
)

// Results are Linux's on every system: a value, or an error number of Linux's below zero. Of is the system's own number
// for one, and Result is the way back.

// Error returns the error that a result stands for, which is below zero. What this system lacks is
// errors.ErrUnsupported beside its number, and its text names the system.
func Error(res int32) error {
	if Bare(res) != res {
		return lack(Of(res))
	}
	return Of(res)
}

// Lack is the result that has one of Linux's numbers because this system has no such call, flag or option at all, and
// not because of what it was asked for.
func Lack(number int32) int32 { return -(number | lacking) }

// Bare is a result without what Lack has said, for comparisons with a number.
func Bare(res int32) int32 {
	if n := -res; n > lacking && n < foreign {
		return -(n &^ lacking)
	}
	return res
}

const (
	// lacking is the bit of a result of Lack.
	lacking = 1 << 15
	// foreign is where the numbers begin that Linux has no name for: the system's own, so that they are what they were
	// when they come to the program.
	foreign = 1 << 16
)

// ErrSystem is the error of what this system doesn't have. It is errors.ErrUnsupported.
var ErrSystem error = unsupported{}

// unsupported is the error of a call that this system doesn't have.
type unsupported struct{}

func (unsupported) Error() string { return "not supported on " + runtime.GOOS }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// A lack is ErrSystem with the number that Linux has for it.
type lack Errno

func (lack) Error() string { return ErrSystem.Error() }

func (e lack) Unwrap() []error { return []error{ErrSystem, Errno(e)} }
