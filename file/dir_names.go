package file

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Mkdir makes a directory in d. A perm with bits beyond 0777 is refused, as by os.Root. It may wait; a task parks.
func (d *Root) Mkdir(name string, perm fs.FileMode) error {
	if perm.Perm() != perm {
		return pathError("mkdirat", name, errMode)
	}
	return d.in("mkdirat", name, func(dir int32, base string) error {
		return mkdirAt(dir, base, modeBits(perm))
	})
}

// MkdirAll makes a directory in d and those above it; see Mkdir. It may wait; a task parks.
func (d *Root) MkdirAll(name string, perm fs.FileMode) error {
	if perm.Perm() != perm {
		return pathError("mkdirat", name, errMode)
	}
	return mkdirAll("mkdirat", name, perm, d.Stat, d.Mkdir, d.Lstat)
}

// Remove removes a file or an empty directory. It may wait; a task parks.
func (d *Root) Remove(name string) error { return d.in("removeat", name, removeAt) }

// RemoveAll removes a file, or a directory and everything in it; see the function RemoveAll. It may wait; a task parks.
func (d *Root) RemoveAll(name string) error {
	if name == "" {
		return pathError("RemoveAll", name, errEmpty)
	}
	if last := strings.TrimRight(name, "/"); endsWithDot(last) || last == ".." || strings.HasSuffix(last, "/..") {
		// Emptying what ".." stands for would mean to follow it, which leads out if the directory before it is moved
		// meanwhile.
		return pathError("RemoveAll", name, posix.EINVAL)
	}
	if err := d.begin("RemoveAll", name); err != nil {
		return err
	}
	defer d.refs.release()
	err := d.withParent(name, func(dir int32, base string) error {
		before := strings.TrimRight(strings.TrimSuffix(name, base), "/")
		base = strings.TrimRight(base, "/")
		return offload(func(stop func() error) error {
			err := removeTree(dir, base, stop)
			if before != "" {
				err = below(before, err)
			}
			return err
		})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return err
	}
	return pathError("RemoveAll", name, err)
}

// Mkfifo makes a FIFO. It may wait; a task parks.
func (d *Root) Mkfifo(name string, perm fs.FileMode) error {
	return d.in("mkfifoat", name, func(dir int32, base string) error {
		return mkfifoAt(dir, base, modeBits(perm))
	})
}

// Symlink makes newname in d a symbolic link to oldname, which need not exist. It may wait; a task parks.
func (d *Root) Symlink(oldname, newname string) error {
	if err := d.begin("symlinkat", newname); err != nil {
		return linkError("symlinkat", oldname, newname, withoutPath(err))
	}
	defer d.refs.release()
	return linkError("symlinkat", oldname, newname, d.withParent(newname, func(dir int32, base string) error {
		return onNames(op.Symlinkat, dir, base, noFD, oldname, 0)
	}))
}

// Readlink returns the target of a symbolic link. It may wait; a task parks.
func (d *Root) Readlink(name string) (to string, err error) {
	err = d.on("readlinkat", name, func() error {
		return d.withObject(name, sys.ONofollow, func(dir int32, base string, at uint32) error {
			to, err = readlinkAt(dir, base)
			if err == posix.ENOENT && at == sys.AtEmptyPath { // the kernel's error for a file that is not a link
				err = posix.EINVAL
			}
			return err
		})
	})
	return to, err
}

// Chmod changes the mode of a file, or of a link's target. It may wait; a task parks.
func (d *Root) Chmod(name string, mode fs.FileMode) error {
	return d.on("chmodat", name, func() error {
		// fchmodat2 is there since Linux 6.6.
		return d.withObject(name, 0, orByProc(func(dir int32, base string, at uint32) error {
			return chmodAt(dir, base, modeBits(mode), at)
		}))
	})
}

// Chown changes the owner and group of a file, or of a link's target; -1 keeps one unchanged. It may wait; a task
// parks.
func (d *Root) Chown(name string, uid, gid int) error { return d.chown("chownat", name, uid, gid, 0) }

// Lchown is like Chown, but changes a link itself. A task parks.
func (d *Root) Lchown(name string, uid, gid int) error {
	return d.chown("lchownat", name, uid, gid, sys.ONofollow)
}

func (d *Root) chown(what, name string, uid, gid, flags int) error {
	return d.on(what, name, func() error {
		return d.withObject(name, flags, func(dir int32, base string, at uint32) error {
			return chownAt(dir, base, uid, gid, at)
		})
	})
}

// Chtimes changes the access and modification times of a file, or of a link's target; a zero time keeps one unchanged.
// It may wait; a task parks.
func (d *Root) Chtimes(name string, atime, mtime time.Time) error {
	return d.on("chtimesat", name, func() error {
		// utimensat takes the flag since Linux 5.8.
		return d.withObject(name, 0, orByProc(func(dir int32, base string, at uint32) error {
			return chtimesAt(dir, base, atime, mtime, at)
		}))
	})
}

// unknown reports whether an error may mean that the kernel does not know the call or the flag, or that a filter
// refuses it.
func unknown(err error) bool {
	switch err {
	case posix.ENOSYS, posix.EINVAL, posix.EOPNOTSUPP, posix.EPERM:
		return true
	}
	return false
}

// orByProc returns a call that makes call, and if the kernel can't do that on a descriptor alone, makes it on the
// descriptor's name in /proc.
func orByProc(call nameCall) nameCall {
	return func(dir int32, name string, at uint32) error {
		err := call(dir, name, at)
		if at == sys.AtEmptyPath && unknown(err) {
			if err2 := call(noFD, magicLink(dir), 0); err2 != posix.ENOENT { // without /proc it is ENOENT
				return err2
			}
		}
		return err
	}
}

// magicLink returns a name of an open file, which works where /proc is mounted.
func magicLink(n int32) string { return "/proc/self/fd/" + strconv.Itoa(int(n)) }

// in runs f on the directory that the last part of a name is in, and on that part.
func (d *Root) in(what, name string, f func(dir int32, base string) error) error {
	if err := d.begin(what, name); err != nil {
		return err
	}
	defer d.refs.release()
	return pathError(what, name, d.withParent(name, f))
}
