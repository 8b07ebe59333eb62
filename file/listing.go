package file

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Listing is a directory that is being read, in steps and in as much memory as a step
// takes, however large it is. It is an fs.ReadDirFile. One caller uses it at a time,
// but any goroutine or task may.
type Listing struct {
	name  string
	n     int32
	refs  refs
	lstat func(name string) (fs.FileInfo, error)
	buf   *[]byte // from listBufs, while there is something to come
	left  []byte  // of it, not given yet

	dropped runtime.Cleanup
}

// newListing makes a Listing of an open descriptor, which is from now on the Listing's.
func newListing(name string, n int32, lstat func(name string) (fs.FileInfo, error)) *Listing {
	l := &Listing{name: name, n: n, lstat: lstat}
	l.dropped = runtime.AddCleanup(l, closeDropped, n)
	return l
}

var _ fs.ReadDirFile = (*Listing)(nil)

// listSize is what one call asks the kernel for: some hundred entries.
const listSize = 32 << 10

var listBufs = sync.Pool{New: func() any {
	b := make([]byte, listSize)
	return &b
}}

// List opens a directory to read its entries, in no order. It may wait; a task parks.
func List(name string) (*Listing, error) {
	n, err := openAt(noFD, name, sys.ODirectory, 0, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return newListing(name, n, func(entry string) (fs.FileInfo, error) { return Lstat(name + "/" + entry) }), nil
}

// ReadDir returns the next entries, n at most, or all that are left if n is not
// positive, as os.File.ReadDir does: with n, io.EOF says that there
// are no more. It may wait; a task parks.
func (l *Listing) ReadDir(n int) ([]fs.DirEntry, error) {
	if !l.refs.acquire() {
		return nil, pathError("readdirent", l.name, os.ErrClosed)
	}
	defer l.refs.release()
	var all []fs.DirEntry
	for n <= 0 || len(all) < n {
		name, typ, err := l.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, pathError("readdirent", l.name, err)
		}
		e, err := l.entry(name, typ)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has gone meanwhile
		}
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	if n > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	return all, nil
}

// entry makes one. Where the file system does not say of what type it is, the file is
// asked.
func (l *Listing) entry(name string, typ byte) (fs.DirEntry, error) {
	e := &entry{name: name, mode: typeBits[uint32(typ)<<12], lstat: l.lstat}
	if typ == 0 {
		info, err := l.lstat(name)
		if err != nil {
			return nil, err
		}
		e.mode = info.Mode().Type()
	}
	return e, nil
}

// next gives the next name and its type, 0 if that is not known; io.EOF at the end.
func (l *Listing) next() (name string, typ byte, err error) {
	for {
		if len(l.left) == 0 {
			if err := l.fill(); err != nil {
				return "", 0, err
			}
		}
		b, typ, rest, ok := nextEntry(l.left)
		if !ok {
			l.left = nil
			return "", 0, posix.EIO
		}
		l.left = rest
		if !isNoEntry(b) {
			return string(b), typ, nil
		}
	}
}

// fill reads more entries. At the end the buffer goes back.
func (l *Listing) fill() error {
	if l.buf == nil {
		l.buf = listBufs.Get().(*[]byte)
	}
	n, err := do(func(k kernel.Kernel) int32 { return k.Getdents(l.n, *l.buf) })
	if err != nil {
		return err
	}
	if n == 0 {
		l.drop()
		return io.EOF
	}
	l.left = (*l.buf)[:n]
	return nil
}

func (l *Listing) drop() {
	if l.buf != nil {
		listBufs.Put(l.buf)
	}
	l.buf, l.left = nil, nil
}

// Read returns EISDIR, as read(2) does.
func (l *Listing) Read([]byte) (int, error) {
	return 0, pathError("read", l.name, posix.EISDIR)
}

// Stat describes the directory.
func (l *Listing) Stat() (fs.FileInfo, error) {
	if !l.refs.acquire() {
		return nil, pathError("stat", l.name, os.ErrClosed)
	}
	defer l.refs.release()
	st, err := statAt(l.n, "", sys.AtEmptyPath)
	if err != nil {
		return nil, pathError("stat", l.name, err)
	}
	return newInfo(l.name, &st), nil
}

// Close closes the directory. It waits for the call in flight.
func (l *Listing) Close() error {
	if !l.refs.close(func() {}) {
		return pathError("close", l.name, os.ErrClosed)
	}
	l.dropped.Stop()
	l.drop()
	closeNumber(l.n)
	return nil
}

// ReadDir returns the entries of a directory, sorted by name, as os.ReadDir does. List
// does it in steps. It may wait; a task parks.
func ReadDir(name string) ([]fs.DirEntry, error) {
	l, err := List(name)
	if err != nil {
		return nil, err
	}
	return l.all()
}

// all gives all entries, sorted, and closes.
func (l *Listing) all() ([]fs.DirEntry, error) {
	defer l.Close()
	entries, err := l.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}
