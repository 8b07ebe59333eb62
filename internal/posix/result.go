package posix

import (
	"errors"
	"runtime"
)

// Results have the same form on every system: a value, or the negative of one of Linux's error numbers. Of returns the
// system's own error number for a result, and Result converts back.

// Error returns the error for a result below zero. If Lack has made the result, the error matches
// errors.ErrUnsupported as well as its number, and its text names the system.
func Error(res int32) error {
	if Bare(res) != res {
		return lack(Of(res))
	}
	return Of(res)
}

// Lack returns the result, with one of Linux's numbers, of a call, flag or option that this system does not have at
// all, whatever the arguments.
func Lack(number int32) int32 { return -(number | lacking) }

// Bare returns a result without the mark of Lack, for comparisons with a number.
func Bare(res int32) int32 {
	if n := -res; n > lacking && n < foreign {
		return -(n &^ lacking)
	}
	return res
}

const (
	// lacking is the bit that marks a result of Lack.
	lacking = 1 << 15
	// foreign is added to numbers of the system that Linux has no name for, so that the program gets them unchanged.
	foreign = 1 << 16
)

// ErrSystem is the error of a call, flag or option that this system does not have. It matches errors.ErrUnsupported.
var ErrSystem error = unsupported{}

// unsupported is the type of ErrSystem.
type unsupported struct{}

func (unsupported) Error() string { return "not supported on " + runtime.GOOS }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// A lack is ErrSystem together with an error number. It matches both.
type lack Errno

func (lack) Error() string { return ErrSystem.Error() }

func (e lack) Unwrap() []error { return []error{ErrSystem, Errno(e)} }
