package file

import (
	"io"

	"ringo/internal/op"
)

// ReadAt reads len(p) bytes from off on, as os.File.ReadAt does: fewer only with an
// error, which at the file's end is io.EOF. It does not use the position. p is lent
// until it returns. It may wait; a task parks.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.hold.give()
	if off < 0 {
		return 0, f.fail("readat", errNegative)
	}
	for n < len(p) {
		m, err := f.transfer(op.ReadAt, p[n:], off+int64(n))
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
