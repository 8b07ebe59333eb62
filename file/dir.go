package file

import (
	"io/fs"
	"os"
	"runtime"

	"ringo/internal/loop"
	"ringo/internal/sys"
)

// Dir is an open directory. The names that its methods take start there and can't lead out
// of it: not by "..", not as an absolute name, not by symbolic links, even if somebody
// makes them while the name is looked up, and not by the links of /proc. Such a name fails
// with ErrEscapes. Links that stay inside are followed. Mounts inside are part of the
// directory.
//
// It is os.Root for tasks and goroutines: any of them may call any method at any time, also
// several at once. Errors have os.Root's words for the operation. The directory may be
// renamed meanwhile. A Dir that is dropped without Close is closed by the garbage
// collector.
//
// Names are looked up by openat2(2), since Linux 5.6. Where that is missing or filtered they
// are walked part by part, with the same result; for a task this is done on a goroutine.
type Dir struct {
	name    string
	n       int32 // stands for the directory alone (O_PATH)
	refs    refs
	dropped runtime.Cleanup
	home    *loop.Loop // see File
}

// newDir makes a Dir of an open descriptor, which is from now on the Dir's.
func newDir(name string, n int32) *Dir {
	d := &Dir{name: name, n: n, home: loop.World()}
	d.dropped = runtime.AddCleanup(d, whenDropped(), n)
	return d
}

// OpenDir opens a directory. It need not be readable, but for ReadDir and Sync. It may
// wait; a task parks.
func OpenDir(name string) (*Dir, error) {
	n, err := openAt(noFD, name, sys.OPath|sys.ODirectory, 0, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return newDir(name, n), nil
}

// Name is the name that the directory was opened with.
func (d *Dir) Name() string { return d.name }

// Close closes the directory. It waits for the calls in flight; files that were opened
// in it stay open. Later calls return fs.ErrClosed, as a second Close does.
func (d *Dir) Close() error {
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

// isZero reports whether nobody opened d, so that its number is no descriptor: an opened
// one has a name.
func (d *Dir) isZero() bool { return d.name == "" }

// begin takes hold of the directory for one call.
func (d *Dir) begin(what, name string) error {
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
func (d *Dir) on(what, name string, call func() error) error {
	if err := d.begin(what, name); err != nil {
		return err
	}
	defer d.refs.release()
	return pathError(what, name, call())
}

// OpenDir opens a directory in d. It may wait; a task parks.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	var sub *Dir
	err := d.on("openat", name, func() error {
		n, err := d.object(name, sys.ODirectory)
		if err == nil {
			sub = newDir(d.join(name), n)
		}
		return err
	})
	return sub, err
}

// join is a name as error messages and File.Name have it.
func (d *Dir) join(name string) string { return d.name + "/" + name }

// Stat describes a file, or what a link leads to. It may wait; a task parks.
func (d *Dir) Stat(name string) (fs.FileInfo, error) { return d.stat("statat", name, 0) }

// Lstat is Stat that describes a link itself.
func (d *Dir) Lstat(name string) (fs.FileInfo, error) {
	return d.stat("statat", name, sys.ONofollow)
}

func (d *Dir) stat(what, name string, flags int) (fs.FileInfo, error) {
	var i *Info
	err := d.on(what, name, func() error {
		return d.withObject(name, flags, func(n int32) error {
			st, err := statAt(n, "", sys.AtEmptyPath)
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
