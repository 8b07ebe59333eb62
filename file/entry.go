package file

import (
	"bytes"
	"encoding/binary"
	"io/fs"
)

// entry is a directory entry.
type entry struct {
	name  string
	mode  fs.FileMode // the type bits only
	lstat func(name string) (fs.FileInfo, error)
}

func (e *entry) Name() string      { return e.name }
func (e *entry) IsDir() bool       { return e.mode.IsDir() }
func (e *entry) Type() fs.FileMode { return e.mode }

// Info describes the entry as it is now. It may wait; a task parks.
func (e *entry) Info() (fs.FileInfo, error) { return e.lstat(e.name) }

// String formats the entry as fs.FormatDirEntry does.
func (e *entry) String() string { return fs.FormatDirEntry(e) }

// The kernel's struct linux_dirent64:
//
//	 0         8          16        18     19
//	┌─────────┬──────────┬─────────┬──────┬───────────────────────┐
//	│ inode   │ position │ length  │ type │ name, NUL, padding    │
//	└─────────┴──────────┴─────────┴──────┴───────────────────────┘
const (
	entryLenAt  = 16
	entryTypeAt = 18
	entryNameAt = 19
)

// nextEntry takes the first entry off a result of getdents64(2). It returns false if the entry is malformed, by a
// mistake of the kernel or a file system.
func nextEntry(b []byte) (name []byte, typ byte, rest []byte, ok bool) {
	if len(b) < entryNameAt {
		return nil, 0, nil, false
	}
	n := int(binary.NativeEndian.Uint16(b[entryLenAt:]))
	if n < entryNameAt || n > len(b) {
		return nil, 0, nil, false
	}
	name = b[entryNameAt:n]
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return name, b[entryTypeAt], b[n:], true
}

// isNoEntry reports whether a name is empty, or one that every directory has.
func isNoEntry(name []byte) bool {
	return len(name) == 0 || string(name) == "." || string(name) == ".."
}
