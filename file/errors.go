package file

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"ringo/internal/posix"
)

var errNegative = errors.New("negative offset")

// fail wraps an error as package os does; op is os's name for the operation.
func (f *File) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// errno is an error number of the kernel.
type errno = posix.Errno

// isErrno reports whether an error is, or wraps, this number.
func isErrno(err error, n errno) bool { return errors.Is(err, n) }

// isZero reports whether f is nil or was never opened, so that f.n is not a descriptor.
func (f *File) isZero() bool { return f == nil || f.n == 0 && f.dropped == (runtime.Cleanup{}) }

// begin checks that the caller may use the file, and keeps its descriptor open for one call.
func (f *File) begin(op string) error {
	if f.isZero() {
		return os.ErrInvalid
	}
	if f.home != nil {
		if err := stranger(f.home); err != nil {
			return f.fail(op, err)
		}
	}
	if !f.refs.acquire() {
		return f.fail(op, os.ErrClosed)
	}
	return nil
}
