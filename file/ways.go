package file

import (
	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// What a file's calls that don't wait are good for, in File.nows: the kernel can't be
// told not to wait for files of some file systems.
const (
	noNowRead  = 1 << iota // reads can't be told
	noNowWrite             // writes can't
)

// transfer moves p from or to the file once, at off or at the position. The count may
// come short.
func (f *File) transfer(code op.Code, p []byte, off int64) (int, error) {
	c := newCall(code, f.n)
	c.op.Buf, c.op.Off = p, off
	res, err := f.move(c)
	c.free()
	return int(res), err
}

// move runs a transfer: at once by what is in memory, or in a way that may wait.
func (f *File) move(c *call) (int32, error) {
	l := loop.Known()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, err
		}
	}
	no := uint32(noNowRead)
	if c.op.Code == op.WriteAt {
		no = noNowWrite
	}
	if f.nows.Load()&no == 0 {
		res, ok := driver.Cached(&c.op)
		switch {
		case ok && res >= 0:
			return res, nil
		case ok && (res == -sys.EOPNOTSUPP || res == -sys.ENOSYS):
			f.nows.Or(no)
		}
	}
	if f.nows.Load()&no != 0 {
		c.op.Flags |= op.Aside
	}
	if l != nil {
		return c.park(l)
	}
	return c.wait()
}
