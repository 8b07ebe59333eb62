package logstore

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"ringo/file"
)

// FS is the folder of a Store: the calls that the store makes to a file system. They may wait; in a task they park.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error) // file.Direct in flag may fail with EINVAL
	Rename(from, to string) error
	Sync() error // makes names durable
	Close() error
}

// File is a file of an FS. A *file.File is one.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error // sets how long it is
	Datasync() error           // makes the bytes durable
	Close() error
}

// folder is a directory by package file.
type folder struct{ *file.Root }

func (d folder) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return d.Root.OpenFile(name, flag, perm)
}

// openDirect opens a file past the page cache, or through it if the file system has no direct I/O.
func openDirect(fsys FS, name string, flag int) (f File, direct bool, err error) {
	f, err = fsys.OpenFile(name, flag|file.Direct, 0o666)
	if direct = !errors.Is(err, syscall.EINVAL); !direct {
		f, err = fsys.OpenFile(name, flag, 0o666)
	}
	return f, direct, err
}

func writeSync(f File, b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Datasync()
}
