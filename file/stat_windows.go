//go:build windows

package file

import (
	"io/fs"
	"syscall"

	"ringo/internal/sys"
)

// osFacts is the type that Info.Sys points to.
type osFacts = syscall.Win32FileAttributeData

// Sys returns a *syscall.Win32FileAttributeData, the same one each time, so changes to it persist, as in package os.
func (i *Info) Sys() any { return &i.os }

// fill fills in an osFacts from the Statx that package sys has made of Windows' data.
func fill(st *osFacts, s *sys.Statx) {
	st.FileAttributes = uint32(s.Attributes)
	st.CreationTime, st.LastAccessTime, st.LastWriteTime = filetime(s.Btime), filetime(s.Atime), filetime(s.Mtime)
	st.FileSizeHigh, st.FileSizeLow = uint32(s.Size>>32), uint32(s.Size)
}

// filetime returns a time in units of 100 ns since 1601.
func filetime(t sys.StatxTime) syscall.Filetime {
	const to1970 = 116444736e9
	n := uint64(t.Sec*1e7 + int64(t.Nsec)/100 + to1970)
	return syscall.Filetime{LowDateTime: uint32(n), HighDateTime: uint32(n >> 32)}
}

// identity knows this package's infos only: those of package os don't show their numbers.
func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	if i, ours := info.(*Info); ours {
		return i.st.Dev(), i.st.Ino, true
	}
	return 0, 0, false
}
