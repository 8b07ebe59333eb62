package file

import (
	"context"
	"io/fs"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

var _ fs.ReadDirFile = (*File)(nil)

// ReadDir returns the next entries of a directory, at most n, or all remaining ones if n is not positive, as
// os.File.ReadDir does: in no particular order, and with a positive n followed by io.EOF. Seek(0, io.SeekStart) starts
// again. Callers take turns. An entry's Info looks up its name, and works even if the file is closed. Any goroutine may
// call it. It may wait; a task parks.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) {
	e, err := f.beginEntries()
	if err != nil {
		return []fs.DirEntry{}, err
	}
	defer f.endEntries()
	return take(n, f.name, e, e.entry)
}

// Readdir is like ReadDir, but returns the result of Lstat for each entry, as os.File.Readdir does. This takes a call
// for each entry: ReadDir is cheaper. Any goroutine may call it. It may wait; a task parks.
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

// Readdirnames is like ReadDir, but returns names only, as os.File.Readdirnames does. Any goroutine may call it. It may
// wait; a task parks.
func (f *File) Readdirnames(n int) ([]string, error) {
	e, err := f.beginEntries()
	if err != nil {
		return []string{}, err
	}
	defer f.endEntries()
	return take(n, f.name, e, func(name string, _ byte) (string, error) { return name, nil })
}

// beginEntries keeps the file open and locks its position, for a call that reads entries.
func (f *File) beginEntries() (*entries, error) {
	if err := f.begin("readdirent"); err != nil {
		return nil, err
	}
	if err := f.position.LockContext(context.Background()); err != nil {
		f.refs.release()
		return nil, f.fail("readdirent", err)
	}
	if f.entries == nil { // not a directory, as the kernel will report
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
