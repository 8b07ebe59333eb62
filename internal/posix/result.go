package posix

import (
	"errors"
	"runtime"
)

// Error returns the error that a result stands for, which is an error number below zero. On
// systems that Ringo doesn't run on it names the system, for all calls fail there alike.
func Error(res int32) error {
	if runtime.GOOS != "linux" {
		return ErrSystem
	}
	return Errno(-res)
}

// ErrSystem is the error of systems that Ringo doesn't run on. It is errors.ErrUnsupported.
var ErrSystem error = unsupported{}

// unsupported is the error of a call that this system doesn't have.
type unsupported struct{}

func (unsupported) Error() string { return "not supported on " + runtime.GOOS }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
