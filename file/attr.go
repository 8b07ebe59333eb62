package file

import (
	"io/fs"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// Chmod changes the file's mode, as os.File.Chmod does. It may wait; a task parks.
func (f *File) Chmod(mode fs.FileMode) error {
	_, err := f.do("chmod", func(k kernel.Kernel) int32 { return k.Fchmod(f.n, modeBits(mode)) })
	return err
}

// Chown changes owner and group, as os.File.Chown does; -1 keeps one unchanged. It may wait; a task parks.
func (f *File) Chown(uid, gid int) error {
	_, err := f.do("chown", func(k kernel.Kernel) int32 {
		return k.Fchownat(f.n, nil, uint32(uid), uint32(gid), sys.AtEmptyPath)
	})
	return err
}

// Chtimes changes the access and modification times, as os.Chtimes does; a zero time keeps one unchanged. It may wait;
// a task parks.
func (f *File) Chtimes(atime, mtime time.Time) error {
	times := timePair(atime, mtime)
	_, err := f.do("chtimes", func(k kernel.Kernel) int32 { return k.Utimensat(f.n, nil, &times, 0) })
	return err
}
