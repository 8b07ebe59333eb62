package file

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/posix"
)

// entries is what is left to read of an open directory. One caller is at it at a time.
type entries struct {
	n     int32
	lstat func(name string) (fs.FileInfo, error)
	buf   *[]byte // from listBufs, while there is something to come
	left  []byte  // of it, not given yet
	last  []byte  // left, as it was before the last one was given
}

// newEntries is those of an open directory, which are described by their names in it.
func newEntries(n int32, dir string) *entries {
	return &entries{n: n, lstat: func(name string) (fs.FileInfo, error) { return Lstat(dir + "/" + name) }}
}

// listSize is what one call asks the kernel for: some hundred entries.
const listSize = 32 << 10

var listBufs = sync.Pool{New: func() any {
	b := make([]byte, listSize)
	return &b
}}

// take makes something of each of the next entries, n at most, or of all that are left if n is not positive. With n,
// io.EOF says that there are no more. What has gone meanwhile is left out.
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
			if _, told := withoutPath(err).(errno); !told { // the task was cancelled, and may go on
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

// entry makes one. Where the file system does not say of what type it is, the file is
// asked.
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

// next gives the next name and its type, 0 if that is not known; io.EOF at the end.
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

// fill reads more entries. At the end the buffer goes back.
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

// drop forgets what has been read ahead.
func (e *entries) drop() {
	if e.buf != nil {
		listBufs.Put(e.buf)
	}
	e.buf, e.left, e.last = nil, nil, nil
}
