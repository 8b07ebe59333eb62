package file

import (
	"io/fs"
	"os"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// Stat describes a file, as os.Stat does. The result is an *Info, which os.SameFile does not know: use SameFile of this
// package. A task parks unless the information is in memory.
func Stat(name string) (fs.FileInfo, error) { return stat("stat", name, 0) }

// Lstat is like Stat, but describes a link itself, as os.Lstat does. A task parks.
func Lstat(name string) (fs.FileInfo, error) { return stat("lstat", name, sys.AtSymlinkNofollow) }

func stat(what, name string, flags uint32) (fs.FileInfo, error) {
	st, err := statAt(noFD, name, flags)
	if err != nil {
		return nil, pathError(what, name, err)
	}
	return newInfo(name, &st), nil
}

// pathError wraps an error as package os does; nil stays nil.
func pathError(what, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: what, Path: name, Err: err}
}

// linkError is pathError for two names.
func linkError(what, name, second string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: what, Old: name, New: second, Err: err}
}

// Chmod changes a file's mode, as os.Chmod does. It may wait; a task parks.
func Chmod(name string, mode fs.FileMode) error {
	return pathError("chmod", name, chmodAt(noFD, name, modeBits(mode), 0))
}

// Chown changes a file's owner and group, as os.Chown does; -1 keeps one unchanged. It may wait; a task parks.
func Chown(name string, uid, gid int) error {
	return pathError("chown", name, chownAt(noFD, name, uid, gid, 0))
}

// Lchown is like Chown, but changes a link itself, as os.Lchown does. A task parks.
func Lchown(name string, uid, gid int) error {
	return pathError("lchown", name, chownAt(noFD, name, uid, gid, sys.AtSymlinkNofollow))
}

func chownAt(dir int32, name string, uid, gid int, flags uint32) error {
	return doAt(name, func(k kernel.Kernel, path []byte) int32 {
		return k.Fchownat(dir, path, uint32(uid), uint32(gid), flags)
	})
}

// Chtimes changes a file's access and modification times, as os.Chtimes does; a zero time keeps one unchanged. It may
// wait; a task parks.
func Chtimes(name string, atime, mtime time.Time) error {
	return pathError("chtimes", name, chtimesAt(noFD, name, atime, mtime, 0))
}

func chtimesAt(dir int32, name string, atime, mtime time.Time, flags uint32) error {
	times := timePair(atime, mtime)
	return doAt(name, func(k kernel.Kernel, path []byte) int32 { return k.Utimensat(dir, path, &times, flags) })
}

// timePair returns two times in the kernel's form; a zero time leaves the file's unchanged.
func timePair(atime, mtime time.Time) (pair sys.TimePair) {
	for i, t := range []time.Time{atime, mtime} {
		pair[i].Sec, pair[i].Nsec = t.Unix(), int64(t.Nanosecond())
		if t.IsZero() {
			pair[i].Sec, pair[i].Nsec = 0, sys.UtimeOmit
		}
	}
	return pair
}

// Truncate changes a file's size, as os.Truncate does. It may wait; a task parks.
func Truncate(name string, size int64) error {
	return pathError("truncate", name, doAt(name, func(k kernel.Kernel, path []byte) int32 {
		return k.Truncate(path, size)
	}))
}

// newInfo returns the Info of a name, which may be a path.
func newInfo(name string, st *sys.Statx) *Info {
	i := &Info{name: base(name), st: *st}
	fill(&i.os, st)
	return i
}
