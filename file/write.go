package file

import (
	"context"
	"errors"
	"io"
	"os"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Write writes p at the position and advances it, or at the end of a file that is open with O_APPEND, as os.File.Write
// does: fewer bytes only with an error. The kernel may use p until Write returns. It may wait; a task parks.
//
// If the file system does not support writes that don't wait, as ext4, a task's Write runs on another thread, which
// costs some 5 µs, however little is written. For many small writes use a Writer, which costs less than bufio over
// os.File.
func (f *File) Write(p []byte) (n int, err error) {
	if err := f.begin("write"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if f.pollable() {
		return f.writeReady(p)
	}
	if err := f.position.LockContext(context.Background()); err != nil {
		return 0, f.fail("write", err)
	}
	defer f.position.Unlock()
	return f.put(p, -1)
}

// put writes all of p at off, or at the position if off is negative.
func (f *File) put(p []byte, off int64) (n int, err error) {
	for {
		at := off
		if off >= 0 {
			at += int64(n)
		}
		m, err := f.write(p[n:], at)
		n += m
		switch {
		case err != nil:
			return n, f.fail("write", err)
		case n == len(p):
			return n, nil
		case m == 0:
			return n, f.fail("write", io.ErrUnexpectedEOF)
		}
	}
}

// errAppend has the text of package os's error for the same case, which os does not export.
var errAppend = errors.New("os: invalid use of WriteAt on file opened with O_APPEND")

// WriteAt writes p from off on, as os.File.WriteAt does: fewer bytes only with an error. It does not use the position.
// It fails for a file that is open with O_APPEND, as in package os. The kernel may use p until WriteAt returns. It may
// wait; a task parks.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	if err := f.beginAt(off); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if len(p) == 0 {
		return 0, nil
	}
	return f.put(p, off)
}

// WriteString is like Write, for a string. A task parks.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// beginAt begins a write at an offset.
func (f *File) beginAt(off int64) error {
	switch {
	case f == nil:
		return os.ErrInvalid
	case f.flag&sys.OAppend != 0:
		return errAppend
	case off < 0:
		return f.fail("writeat", errNegative)
	}
	return f.begin("write")
}

// WriteVAt is like WriteAt for several slices, one after the other, in as few calls as the kernel allows: pwritev(2).
// The kernel may use ps and the slices until WriteVAt returns. It may wait; a task parks.
func (f *File) WriteVAt(ps [][]byte, off int64) (n int, err error) {
	if err := f.beginAt(off); err != nil {
		return 0, err
	}
	defer f.refs.release()
	skip := 0
	for size := sizeOf(ps); n < size; {
		m, err := f.transferVec(op.WriteVec, ps, skip, off+int64(n))
		n += m
		ps, skip = behind(ps, skip+m)
		switch {
		case err != nil:
			return n, f.fail("write", err)
		case m == 0:
			return n, f.fail("write", io.ErrUnexpectedEOF)
		}
	}
	return n, nil
}
