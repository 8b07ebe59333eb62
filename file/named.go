package file

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Stat describes a file, as os.Stat does. In a task it does not wait for what is in
// memory, and else parks.
func Stat(name string) (fs.FileInfo, error) { return stat("stat", name, 0) }

// Lstat is Stat that describes a link itself, as os.Lstat does.
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
	_, err := onName(op.Chmodat, noFD, name, modeBits(mode), 0)
	return pathError("chmod", name, err)
}

// Chown changes a file's owner and group, as os.Chown does; -1 leaves one as it is. It may
// wait; a task parks.
func Chown(name string, uid, gid int) error {
	return pathError("chown", name, chownAt(noFD, name, uid, gid, 0))
}

// Lchown is Chown that changes a link itself, as os.Lchown does.
func Lchown(name string, uid, gid int) error {
	return pathError("lchown", name, chownAt(noFD, name, uid, gid, sys.AtSymlinkNofollow))
}

func chownAt(dir int32, name string, uid, gid int, flags int64) error {
	c, _, err := newNameCall(op.Chownat, dir, name)
	if err != nil {
		return err
	}
	defer c.free()
	c.op.Arg, c.op.Arg2, c.op.Off = uint32(uid), uint32(gid), flags
	_, err = c.run()
	return err
}

// Chtimes changes when a file was last read and written, as os.Chtimes does; a zero
// time leaves what is there. It may wait; a task parks.
func Chtimes(name string, atime, mtime time.Time) error {
	return pathError("chtimes", name, chtimesAt(noFD, name, atime, mtime, 0))
}

func chtimesAt(dir int32, name string, atime, mtime time.Time, flags uint32) error {
	c, n, err := newNameCall(op.Utimensat, dir, name)
	if err != nil {
		return err
	}
	defer c.free()
	for i, t := range []time.Time{atime, mtime} {
		n.Times[i].Sec, n.Times[i].Nsec = t.Unix(), int64(t.Nanosecond())
		if t.IsZero() {
			n.Times[i].Sec, n.Times[i].Nsec = 0, sys.UtimeOmit
		}
	}
	c.op.Arg = flags
	_, err = c.run()
	return err
}

// Truncate makes a file so many bytes long, as os.Truncate does. It may wait; a task
// parks.
func Truncate(name string, size int64) error {
	c, _, err := newNameCall(op.Truncate, noFD, name)
	if err != nil {
		return pathError("truncate", name, err)
	}
	defer c.free()
	c.op.Off = size
	_, err = c.run()
	return pathError("truncate", name, err)
}

// newInfo is the Info of a name, which may be a path.
func newInfo(name string, st *sys.Statx) *Info {
	return &Info{name: filepath.Base(name), st: *st}
}
