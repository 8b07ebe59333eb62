package file

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"ringo/internal/posix"
)

var errNegative = errors.New("negative offset")

// fail wraps an error as package os does; op is os's word.
func (f *File) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// errno is a kernel's answer.
type errno = posix.Errno

// isErrno reports whether an error is, or wraps, this number.
func isErrno(err error, n errno) bool { return errors.Is(err, n) }

// isZero reports whether f is nil or a File that nobody opened, whose number is no
// descriptor.
func (f *File) isZero() bool { return f == nil || f.n == 0 && f.dropped == (runtime.Cleanup{}) }

// begin takes hold of the descriptor for one call.
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
