package logstore

import (
	"io"
	"io/fs"
)

// FS is the folder of a Store: what the store asks of a file system. Calls may wait, a task by parking.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(from, to string) error
	Names() ([]string, error) // of all files
	Sync() error              // makes names durable
	io.Closer                 // files stay open
}

// File is a file of an FS. *file.File is one.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Datasync() error // makes what was written durable, and the size
}
