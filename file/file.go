package file

import (
	"io/fs"
	"os"
	"sync/atomic"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// File is an open file. It is os.File's like: the same methods, names and errors. It
// belongs to no loop; any goroutine and any task may call any method, any number at once.
type File struct {
	name string
	n    int32 // the descriptor
	flag int   // that it was opened with
	hold hold
	nows atomic.Uint32 // what can be read without waiting, see ways
}

// Open opens a file to read it, as os.Open does. It may wait; a task parks.
func Open(name string) (*File, error) { return OpenFile(name, os.O_RDONLY, 0) }

// Create makes a file, or empties the one that is there, to read and write it, as
// os.Create does. It may wait; a task parks.
func Create(name string) (*File, error) {
	return OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file with os's flags, and Direct, as os.OpenFile does. perm is of a
// file that it makes, before the umask. It may wait; a task parks.
func OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	path, err := cString(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	c := newCall(op.Open, noFD)
	defer c.free()
	c.op.Buf, c.op.Arg, c.op.Arg2 = path, uint32(flag), modeBits(perm)
	n, err := c.run()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &File{name: name, n: n, flag: flag}, nil
}

// Name is the name that the file was opened with.
func (f *File) Name() string { return f.name }

// Close closes the file. It waits for the calls in flight, also in a cancelled task;
// later ones give fs.ErrClosed, as a second Close does.
func (f *File) Close() error {
	if f == nil {
		return os.ErrInvalid
	}
	if !f.hold.close() {
		return f.fail("close", os.ErrClosed)
	}
	c := newCall(op.CloseFile, noFD)
	defer c.free()
	c.op.Off = int64(f.n)
	var err error
	if f.flag&sys.OAccmode == os.O_RDONLY {
		_, err = c.plain() // nothing is to be written before
	} else {
		err = c.shielded()
	}
	if err != nil {
		return f.fail("close", err)
	}
	return nil
}
