package file

import (
	"context"
	"io"

	"ringo/internal/op"
)

// Read reads up to len(p) bytes at the position and advances it, as os.File.Read does. The kernel may use p until Read
// returns. It may wait; a task parks.
func (f *File) Read(p []byte) (int, error) {
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	switch {
	case len(p) == 0:
		return 0, nil
	case f.pollable():
		return f.readReady(p)
	}
	if err := f.position.LockContext(context.Background()); err != nil {
		return 0, f.fail("read", err)
	}
	defer f.position.Unlock()
	n, _, err := f.fill(p)
	switch {
	case err != nil:
		return n, f.fail("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// fill reads at the position. A read that finds only a part in memory is short, and fill goes on after it. end reports
// that the file ended, which is not an error.
func (f *File) fill(p []byte) (n int, end bool, err error) {
	for n < len(p) {
		m, soon, err := f.read(p[n:], -1)
		if n += m; m == 0 || err != nil || !soon {
			return n, m == 0 && err == nil, unlessMoved(n, err)
		}
	}
	return n, false, nil
}

// unlessMoved drops an error that came after n bytes: the next call meets it.
func unlessMoved(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// ReadAt reads len(p) bytes from off on, as os.File.ReadAt does: fewer only with an error, which at the file's end is
// io.EOF. It does not use the position. The kernel may use p until ReadAt returns. It may wait; a task parks, and even
// a cancelled one waits for the end of a read that has begun.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 && f != nil {
		return 0, f.fail("readat", errNegative)
	}
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	for n < len(p) {
		m, _, err := f.read(p[n:], off+int64(n))
		if err != nil {
			return n, f.fail("read", err)
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// ReadVAt is like ReadAt for several slices, one after the other, in as few calls as the kernel allows: preadv(2). The
// kernel may use ps and the slices until ReadVAt returns. It may wait; a task parks.
func (f *File) ReadVAt(ps [][]byte, off int64) (n int, err error) {
	if off < 0 && f != nil {
		return 0, f.fail("readat", errNegative)
	}
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	skip := 0
	for size := sizeOf(ps); n < size; {
		m, err := f.transferVec(op.ReadVec, ps, skip, off+int64(n))
		if err != nil {
			return n, f.fail("read", err)
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
		ps, skip = behind(ps, skip+m)
	}
	return n, nil
}

// behind returns the slices that are left after n bytes, and how much of the first of them has been moved.
func behind(ps [][]byte, n int) (left [][]byte, skip int) {
	for len(ps) > 0 && n >= len(ps[0]) {
		n -= len(ps[0])
		ps = ps[1:]
	}
	return ps, n
}

func sizeOf(ps [][]byte) (n int) {
	for _, p := range ps {
		n += len(p)
	}
	return n
}
