package file

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/posix"
)

// entries reads an open directory. Only one caller at a time uses it.
type entries struct {
	n     int32
	lstat func(name string) (fs.FileInfo, error)
	buf   *[]byte // from listBufs; nil when nothing is read ahead
	left  []byte  // the part of buf that next has not returned yet
	last  []byte  // left before the last entry was taken off, so that it can be put back
}

// newEntries returns the entries of an open directory. They are described by their names in it.
func newEntries(n int32, dir string) *entries {
	return &entries{n: n, lstat: func(name string) (fs.FileInfo, error) { return Lstat(dir + "/" + name) }}
}

// listSize is the size of the buffer for one getdents call: enough for some hundred entries.
const listSize = 32 << 10

var listBufs = sync.Pool{New: func() any {
	b := make([]byte, listSize)
	return &b
}}

// take calls of for each of the next entries and returns the results: n at most, or for all that are left if n is not
// positive. With a positive n, it returns io.EOF when none is left. Entries that no longer exist are left out.
func take[T any](n int, dir string, e *entries, of func(name string, typ byte) (T, error)) ([]T, error) {
	all := []T{}
	for n <= 0 || len(all) < n {
		name, typ, err := e.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, pathError("readdirent", dir, err)
		}
		made, err := of(name, typ)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			if _, told := withoutPath(err).(errno); !told { // the task was cancelled: a later call returns this entry
				e.left = e.last
			}
			return all, err
		}
		all = append(all, made)
	}
	if n > 0 && len(all) == 0 {
		return all, io.EOF
	}
	return all, nil
}

// entry makes an fs.DirEntry. If the file system does not report the type, entry asks the file.
func (e *entries) entry(name string, typ byte) (fs.DirEntry, error) {
	made := &entry{name: name, mode: typeBits[uint32(typ)<<12], lstat: e.lstat}
	if typ == 0 {
		info, err := e.lstat(name)
		if err != nil {
			return nil, err
		}
		made.mode = info.Mode().Type()
	}
	return made, nil
}

// next returns the next name and its type, which is 0 if unknown; io.EOF at the end.
func (e *entries) next() (name string, typ byte, err error) {
	for {
		if len(e.left) == 0 {
			if err := e.fill(); err != nil {
				return "", 0, err
			}
		}
		b, typ, rest, ok := nextEntry(e.left)
		if !ok {
			e.left = nil
			return "", 0, posix.EIO
		}
		e.left, e.last = rest, e.left
		if !isNoEntry(b) {
			return string(b), typ, nil
		}
	}
}

// fill reads more entries. At the end it returns the buffer to the pool.
func (e *entries) fill() error {
	if e.buf == nil {
		e.buf = listBufs.Get().(*[]byte)
	}
	n, err := do(func(k kernel.Kernel) int32 { return k.Getdents(e.n, *e.buf) })
	if err != nil {
		return err
	}
	if n == 0 {
		e.drop()
		return io.EOF
	}
	e.left = (*e.buf)[:n]
	return nil
}

// drop forgets what was read ahead, and returns the buffer to the pool.
func (e *entries) drop() {
	if e.buf != nil {
		listBufs.Put(e.buf)
	}
	e.buf, e.left, e.last = nil, nil, nil
}
