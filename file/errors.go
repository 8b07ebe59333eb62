package file

import (
	"errors"
	"io/fs"
	"os"
)

var errNegative = errors.New("negative offset")

// fail wraps an error as package os does; op is os's word.
func (f *File) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// begin takes hold of the descriptor for one call.
func (f *File) begin(op string) error {
	if f == nil {
		return os.ErrInvalid
	}
	if !f.hold.take() {
		return f.fail(op, os.ErrClosed)
	}
	return nil
}
