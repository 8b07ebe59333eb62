package file

import (
	"io/fs"
	"time"

	"ringo/internal/op"
)

// Chmod sets the mode, as os.File.Chmod does. It may wait; a task parks.
func (f *File) Chmod(mode fs.FileMode) error {
	return f.about("chmod", op.Chmod, 0, 0, modeBits(mode))
}

// Chown sets owner and group, as os.File.Chown does; -1 leaves one as it is. It may
// wait; a task parks.
func (f *File) Chown(uid, gid int) error {
	if err := f.begin("chown"); err != nil {
		return err
	}
	defer f.refs.release()
	c := newCall(op.Chown, f.n)
	defer c.free()
	c.op.Arg, c.op.Arg2 = uint32(uid), uint32(gid)
	if _, err := c.run(); err != nil {
		return f.fail("chown", err)
	}
	return nil
}

// Chtimes sets the times of the last access and of the last change, as os.Chtimes does;
// the zero Time leaves one as it is. It may wait; a task parks.
func (f *File) Chtimes(atime, mtime time.Time) error {
	omit := uint32(0)
	if atime.IsZero() {
		omit |= op.OmitAccess
	}
	if mtime.IsZero() {
		omit |= op.OmitChange
	}
	return f.about("chtimes", op.Chtimes, atime.UnixNano(), mtime.UnixNano(), omit)
}
