//go:build windows

package sys

import (
	"encoding/binary"
	"unicode/utf16"

	"golang.org/x/sys/windows"
)

// entries is the state of reading a folder: Windows returns as many entries at a time as fit, some of which may be
// left for the next call.
type entries struct {
	buf  []byte
	rest []byte // the part of buf that is left: FILE_ID_BOTH_DIR_INFOs, one after the other
	off  int64  // of the next entry
	over bool
}

// rewind makes the next read start from the beginning.
func (e *entries) rewind() { e.rest, e.off, e.over = nil, 0, false }

// Offsets in FILE_ID_BOTH_DIR_INFO.
const (
	dirAttributes = 56
	dirNameLen    = 60
	dirTag        = 64 // EaSize, which is the reparse tag of a link
	dirFileID     = 96
	dirName       = 104
)

const direntHead = 19 // of struct linux_dirent64, before the name

// Getdents is getdents64(2). It returns how many bytes of entries are in p, 0 at the end.
func Getdents(fd int32, p []byte) int32 {
	return onFile(fd, func(o *open) int32 {
		if o.kind != isFolder {
			return -ENOTDIR
		}
		o.file.mu.Lock()
		defer o.file.mu.Unlock()
		return o.file.entries.fill(o.handle, p)
	})
}

func (e *entries) fill(h windows.Handle, p []byte) int32 {
	n := 0
	for !e.over {
		if len(e.rest) == 0 {
			if n > 0 {
				break // call the system only when there is nothing else to return
			}
			if res := e.read(h); res < 0 {
				return res
			}
			continue
		}
		m := e.put(p[n:])
		if m == 0 {
			if n == 0 {
				return -EINVAL
			}
			break
		}
		n += m
	}
	return int32(n)
}

// read reads more entries.
func (e *entries) read(h windows.Handle) int32 {
	if e.buf == nil {
		e.buf = make([]byte, 32<<10)
	}
	class := uint32(windows.FileIdBothDirectoryInfo)
	if e.off == 0 {
		class = windows.FileIdBothDirectoryRestartInfo
	}
	err := windows.GetFileInformationByHandleEx(h, class, &e.buf[0], uint32(len(e.buf)))
	switch {
	case err == windows.ERROR_NO_MORE_FILES, err == windows.ERROR_FILE_NOT_FOUND:
		e.over = true
	case err != nil:
		return resultOf(err)
	default:
		e.rest = e.buf
	}
	return 0
}

// put stores one entry in p, and returns its size; 0 if there is no room.
func (e *entries) put(p []byte) int {
	b := e.rest
	wide := make([]uint16, binary.NativeEndian.Uint32(b[dirNameLen:])/2)
	for i := range wide {
		wide[i] = binary.NativeEndian.Uint16(b[dirName+2*i:])
	}
	name := string(utf16.Decode(wide))
	size := (direntHead + len(name) + 1 + 7) &^ 7
	if size > len(p) {
		return 0
	}
	e.off++
	clear(p[:size])
	binary.NativeEndian.PutUint64(p, binary.NativeEndian.Uint64(b[dirFileID:]))
	binary.NativeEndian.PutUint64(p[8:], uint64(e.off))
	binary.NativeEndian.PutUint16(p[16:], uint16(size))
	p[18] = sortOf(binary.NativeEndian.Uint32(b[dirAttributes:]), binary.NativeEndian.Uint32(b[dirTag:]))
	copy(p[direntHead:], name)
	if next := binary.NativeEndian.Uint32(b); next != 0 {
		e.rest = b[next:]
	} else {
		e.rest = nil
	}
	return size
}

// sortOf returns the DT_ number of a file type.
func sortOf(attributes, tag uint32) byte {
	switch {
	case attributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 &&
		(tag == windows.IO_REPARSE_TAG_SYMLINK || tag == windows.IO_REPARSE_TAG_MOUNT_POINT):
		return SIflnk >> 12
	case attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0:
		return SIfdir >> 12
	}
	return 8 // DT_REG
}
