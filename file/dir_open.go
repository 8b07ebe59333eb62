package file

import (
	"io/fs"
	"os"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Open opens a file in d for reading. It may wait; a task parks.
func (d *Root) Open(name string) (*File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

// Create makes a file in d, or empties an existing one, for reading and writing. It may wait; a task parks.
func (d *Root) Create(name string) (*File, error) {
	return d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file in d with os's flags, and Direct. perm is the mode of a new file, before the umask; one with
// bits beyond 0777 is refused, as by os.Root: Chmod sets them. It may wait; a task parks.
func (d *Root) OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	if perm.Perm() != perm {
		return nil, pathError("openat", name, errMode)
	}
	return d.openFile(name, flag, perm)
}

// openFile is OpenFile with any perm.
func (d *Root) openFile(name string, flag int, perm fs.FileMode) (f *File, err error) {
	err = d.on("openat", name, func() error {
		n, err := d.open(name, flag, modeBits(perm))
		if err == nil {
			f = newFile(n, d.join(name), flag)
			f.know(ours)
			if f.entries != nil {
				f.entries = d.entries(n, name)
			}
		}
		return err
	})
	return f, err
}

// entries returns the entries of an open directory in d. They are described by their names in d.
func (d *Root) entries(n int32, dir string) *entries {
	return &entries{n: n, lstat: func(name string) (fs.FileInfo, error) { return d.Lstat(dir + "/" + name) }}
}

// ReadFile returns the content of a file in d. It may wait; a task parks.
func (d *Root) ReadFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.readAll()
}

// WriteFile makes data the content of a file in d; see the function WriteFile. It may wait; a task parks.
func (d *Root) WriteFile(name string, data []byte, perm fs.FileMode) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	return f.writeAll(data)
}

// Temp makes a file in d without a name (O_TMPFILE, Linux 3.11), for reading and writing: Close removes it, unless
// LinkTo has given it a name. Where the kernel or the file system does not support this, the error is
// errors.ErrUnsupported. It may wait; a task parks.
func (d *Root) Temp(perm fs.FileMode) (f *File, err error) {
	err = d.on("openat", ".", func() error {
		flag := sys.ORdwr | sys.OTmpfile
		n, err := d.open(".", flag, modeBits(perm))
		if err == posix.EISDIR { // the error of kernels and file systems without O_TMPFILE
			err = posix.EOPNOTSUPP
		}
		if err == nil {
			f = newFile(n, d.join("."), flag)
			f.know(ours)
		}
		return err
	})
	return f, err
}

// LinkTo makes a name in d for f, which comes from Temp or has other names. It fails with fs.ErrExist if the name
// exists. It may wait; a task parks.
func (d *Root) LinkTo(f *File, name string) error {
	if err := f.begin("linkat"); err != nil {
		return err
	}
	defer f.refs.release()
	if err := d.begin("linkat", name); err != nil {
		return linkError("linkat", f.name, name, withoutPath(err))
	}
	defer d.refs.release()
	return linkError("linkat", f.name, name, d.withParent(name, func(dir int32, base string) error {
		err := onNames(op.Linkat, f.n, "", dir, base, sys.AtEmptyPath)
		if sys.HaveObjects && (err == posix.ENOENT || unknown(err)) { // before Linux 6.10 it takes a privilege
			err = linkByProc(f.n, dir, base)
		}
		return err
	}))
}

// linkByProc links the descriptor n by its name in /proc.
func linkByProc(n, dir int32, base string) error {
	proc, err := openAt(noFD, "/proc/self/fd", sys.OPath|sys.ODirectory, 0, 0)
	if err != nil {
		return err
	}
	defer closeNumber(proc)
	return onNames(op.Linkat, proc, magicLink(n)[len("/proc/self/fd/"):], dir, base, sys.AtSymlinkFollow)
}

// List opens a directory in d to read its entries, in no particular order. It may wait; a task parks.
func (d *Root) List(name string) (l *Listing, err error) {
	err = d.on("openat", name, func() error {
		n, err := d.open(name, sys.ODirectory, 0)
		if err == nil {
			l = newListing(d.join(name), d.entries(n, name))
		}
		return err
	})
	return l, err
}

// ReadDir returns the entries of a directory in d, sorted by name; List does it in steps. It may wait; a task parks.
func (d *Root) ReadDir(name string) ([]fs.DirEntry, error) {
	l, err := d.List(name)
	if err != nil {
		return nil, err
	}
	return l.all()
}

// Sync makes changes of names in d durable: without it a crash may undo the creation, renaming or removal of a file. It
// may wait; a task parks.
func (d *Root) Sync() error {
	return d.on("sync", d.name, func() error {
		n, err := d.open(".", sys.ODirectory, 0)
		if err != nil {
			return err
		}
		defer closeNumber(n)
		c := newCall(op.Sync, n)
		defer c.free()
		_, err = c.run()
		return err
	})
}
