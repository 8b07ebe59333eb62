package file

import (
	"io/fs"
	"os"
	"runtime"

	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A Root is an open directory. Names passed to its methods are relative to it and can't lead out of it: not by "..",
// absolute names, the links of /proc, or symbolic links, even if those are made while the name is looked up. Such names
// fail with ErrEscapes. Links that stay inside are followed. Mounts inside are part of the directory.
//
// It is os.Root for tasks and goroutines: any of them may call any method at any time, several at once too. Errors have
// os.Root's names for the operations. The directory may be renamed meanwhile. The garbage collector closes a Root that
// is dropped without Close.
//
// Names are looked up by openat2(2), since Linux 5.6. Where that is missing or filtered they are resolved part by part,
// with the same result; for a task this runs on a goroutine. On macOS, NetBSD, OpenBSD and DragonFly the last part
// stays a name: a link that is put there at that moment is changed itself, as by os.Root; Access follows it on the last
// two.
type Root struct {
	name    string
	n       int32 // an O_PATH descriptor of the directory
	refs    refs
	dropped runtime.Cleanup
	home    *loop.Loop // see File
}

// newDir makes a Root of an open descriptor, which the Root owns from now on.
func newDir(name string, n int32) *Root {
	d := &Root{name: name, n: n, home: loop.Home()}
	d.dropped = runtime.AddCleanup(d, whenDropped(), n)
	return d
}

// OpenRoot opens a directory. It need not be readable, except for ReadDir and Sync. It may wait; a task parks.
func OpenRoot(name string) (*Root, error) {
	n, err := openAt(noFD, name, sys.OPath|sys.ODirectory, 0, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return newDir(name, n), nil
}

// Name returns the name that the directory was opened with.
func (d *Root) Name() string { return d.name }

// Close closes the directory. It waits for the calls in flight; files that were opened in it stay open. Later calls,
// including a second Close, return fs.ErrClosed.
func (d *Root) Close() error {
	if d.isZero() {
		return os.ErrInvalid
	}
	if err := stranger(d.home); err != nil {
		return pathError("close", d.name, err)
	}
	if !d.refs.close(func() {}) {
		return pathError("close", d.name, os.ErrClosed)
	}
	d.dropped.Stop()
	closeNumber(d.n)
	return nil
}

// isZero reports whether d was never opened, so that d.n is not a descriptor: an open Root has a name.
func (d *Root) isZero() bool { return d.name == "" }

// begin checks that the caller may use the directory, and keeps it open for one call.
func (d *Root) begin(what, name string) error {
	if d.isZero() {
		return os.ErrInvalid
	}
	if err := stranger(d.home); err != nil {
		return pathError(what, name, err)
	}
	if !d.refs.acquire() {
		return pathError(what, name, os.ErrClosed)
	}
	return nil
}

// on runs one call on a name and wraps its error.
func (d *Root) on(what, name string, call func() error) error {
	if err := d.begin(what, name); err != nil {
		return err
	}
	defer d.refs.release()
	return pathError(what, name, call())
}

// OpenRoot opens a directory in d. It may wait; a task parks.
func (d *Root) OpenRoot(name string) (*Root, error) {
	var sub *Root
	err := d.on("openat", name, func() error {
		n, err := d.object(name, sys.ODirectory)
		if err == nil {
			sub = newDir(d.join(name), n)
		}
		return err
	})
	return sub, err
}

// join returns a name in d for error messages and File.Name.
func (d *Root) join(name string) string { return d.name + "/" + name }

// Stat describes a file, or a link's target. The result is an *Info, which os.SameFile does not know: use SameFile of
// this package. It may wait; a task parks.
func (d *Root) Stat(name string) (fs.FileInfo, error) { return d.stat("statat", name, 0) }

// Lstat is like Stat, but describes a link itself. A task parks.
func (d *Root) Lstat(name string) (fs.FileInfo, error) {
	return d.stat("statat", name, sys.ONofollow)
}

func (d *Root) stat(what, name string, flags int) (fs.FileInfo, error) {
	var i *Info
	err := d.on(what, name, func() error {
		return d.withObject(name, flags, func(dir int32, base string, at uint32) error {
			st, err := statAt(dir, base, at)
			if err == nil && flags == 0 && st.Mode&sys.SIfmt == sys.SIflnk {
				err = posix.ELOOP // it was not a link when the walk looked
			}
			if err == nil {
				i = newInfo(name, &st)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return i, nil
}
