package file

import (
	"context"
	"io/fs"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

var _ fs.ReadDirFile = (*File)(nil)

// ReadDir returns the next entries of a directory, n at most, or all that are left if n is not positive, as
// os.File.ReadDir does: in no order, and with n, io.EOF says that there are no more. Seek(0, io.SeekStart) begins anew.
// Callers take turns. An entry's Info asks by its name, also when the file is closed. Any goroutine may call it. It may
// wait; a task parks.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) {
	e, err := f.beginEntries()
	if err != nil {
		return []fs.DirEntry{}, err
	}
	defer f.endEntries()
	return take(n, f.name, e, e.entry)
}

// Readdir is ReadDir with all that Lstat says of each entry, as os.File.Readdir is. Each is asked for by itself, beside
// a loop where memory does not know it: ReadDir is cheaper. Any goroutine may call it. It may wait; a task parks.
func (f *File) Readdir(n int) ([]fs.FileInfo, error) {
	e, err := f.beginEntries()
	if err != nil {
		return []fs.FileInfo{}, err
	}
	defer f.endEntries()
	return take(n, f.name, e, func(name string, _ byte) (fs.FileInfo, error) {
		st, err := statAt(f.n, name, sys.AtSymlinkNofollow)
		if err != nil {
			return nil, pathError("lstat", f.name+"/"+name, err)
		}
		return newInfo(name, &st), nil
	})
}

// Readdirnames is ReadDir with the names alone, as os.File.Readdirnames is. Any goroutine may call it. It may wait; a
// task parks.
func (f *File) Readdirnames(n int) ([]string, error) {
	e, err := f.beginEntries()
	if err != nil {
		return []string{}, err
	}
	defer f.endEntries()
	return take(n, f.name, e, func(name string, _ byte) (string, error) { return name, nil })
}

// beginEntries takes hold of the file and of its position for a call that reads entries.
func (f *File) beginEntries() (*entries, error) {
	if err := f.begin("readdirent"); err != nil {
		return nil, err
	}
	if err := f.position.LockContext(context.Background()); err != nil {
		f.refs.release()
		return nil, f.fail("readdirent", err)
	}
	if f.entries == nil { // it is no directory, and the kernel says so
		f.entries = newEntries(f.n, f.name)
	}
	return f.entries, nil
}

func (f *File) endEntries() {
	f.position.Unlock()
	f.refs.release()
}

// Chdir makes the directory the working directory of the process, as os.File.Chdir does. Any goroutine may call it.
// It may wait; a task parks.
func (f *File) Chdir() error {
	_, err := f.do("chdir", func(k kernel.Kernel) int32 { return k.Fchdir(f.n) })
	return err
}
