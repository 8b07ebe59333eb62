package file

import (
	"ringo/internal/op"
)

// Seek sets the position for the next Read or Write, as os.File.Seek does: whence is one
// of io's Seek constants. It may wait for the disk; a task parks. Of a file that is open
// with O_APPEND it is that of reads only.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if err := f.begin("seek"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if err := f.position.Lock(); err != nil {
		return 0, f.fail("seek", err)
	}
	defer f.position.Unlock()
	c := newCall(op.Lseek, f.n)
	defer c.free()
	c.op.Off, c.op.Arg = offset, uint32(whence)
	if _, err := c.run(); err != nil {
		return 0, f.fail("seek", err)
	}
	return c.op.Off, nil
}

// The two more places to seek from: the next data at or behind an offset, and the next
// hole. At the end there is a hole. Behind the last data or the end the error is ENXIO.
const (
	SeekData = 3
	SeekHole = 4
)
