package file

import (
	"cmp"
	"io/fs"
	"os"
	"runtime"
	"slices"

	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A Listing reads a directory in steps, with memory for one step, however large it is. It is an fs.ReadDirFile. Any
// goroutine or task may use it, one at a time.
type Listing struct {
	name    string
	refs    refs
	entries *entries
	dropped runtime.Cleanup
	home    *loop.Loop // see File
}

// newListing makes a Listing of an open descriptor, which the Listing owns from now on.
func newListing(name string, e *entries) *Listing {
	l := &Listing{name: name, entries: e, home: loop.Home()}
	l.dropped = runtime.AddCleanup(l, whenDropped(), e.n)
	return l
}

var _ fs.ReadDirFile = (*Listing)(nil)

// List opens a directory to read its entries, in no particular order. It may wait; a task parks.
func List(name string) (*Listing, error) {
	n, err := openAt(noFD, name, sys.ODirectory, 0, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return newListing(name, newEntries(n, name)), nil
}

// ReadDir returns the next entries, at most n, or all remaining ones if n is not positive, as os.File.ReadDir does:
// with a positive n followed by io.EOF. It may wait; a task parks.
func (l *Listing) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := stranger(l.home); err != nil {
		return nil, pathError("readdirent", l.name, err)
	}
	if !l.refs.acquire() {
		return nil, pathError("readdirent", l.name, os.ErrClosed)
	}
	defer l.refs.release()
	return take(n, l.name, l.entries, l.entries.entry)
}

// Read returns EISDIR, as read(2) does.
func (l *Listing) Read([]byte) (int, error) {
	return 0, pathError("read", l.name, posix.EISDIR)
}

// Stat describes the directory.
func (l *Listing) Stat() (fs.FileInfo, error) {
	if err := stranger(l.home); err != nil {
		return nil, pathError("stat", l.name, err)
	}
	if !l.refs.acquire() {
		return nil, pathError("stat", l.name, os.ErrClosed)
	}
	defer l.refs.release()
	st, err := statAt(l.entries.n, "", sys.AtEmptyPath)
	if err != nil {
		return nil, pathError("stat", l.name, err)
	}
	return newInfo(l.name, &st), nil
}

// Close closes the directory. It waits for the call in flight.
func (l *Listing) Close() error {
	if err := stranger(l.home); err != nil {
		return pathError("close", l.name, err)
	}
	if !l.refs.close(func() {}) {
		return pathError("close", l.name, os.ErrClosed)
	}
	l.dropped.Stop()
	l.entries.drop()
	closeNumber(l.entries.n)
	return nil
}

// ReadDir returns the entries of a directory, sorted by name, as os.ReadDir does. List does it in steps. It may wait;
// a task parks.
func ReadDir(name string) ([]fs.DirEntry, error) {
	l, err := List(name)
	if err != nil {
		return nil, err
	}
	return l.all()
}

// all returns all entries, sorted, and closes the Listing.
func (l *Listing) all() ([]fs.DirEntry, error) {
	defer l.Close()
	entries, err := l.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}
