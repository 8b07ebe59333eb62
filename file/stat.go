package file

import (
	"io/fs"
	"path"
	"time"

	"ringo/internal/sys"
)

// Info describes a file: it is an fs.FileInfo with the additional fields of statx(2). Its Sys is a *syscall.Stat_t, as
// in package os, and on Windows a *syscall.Win32FileAttributeData. os.SameFile returns false for any Info; use this
// package's SameFile.
type Info struct {
	name string
	st   sys.Statx
	os   osFacts
}

// Stat describes the file. The result is an *Info, which os.SameFile does not know: use SameFile of this package. It
// may wait, usually on network file systems; a task parks.
func (f *File) Stat() (fs.FileInfo, error) {
	if err := f.begin("stat"); err != nil {
		return nil, err
	}
	defer f.refs.release()
	st, err := statAt(f.n, "", sys.AtEmptyPath)
	if err != nil {
		return nil, f.fail("stat", err)
	}
	return newInfo(path.Base(f.name), &st), nil
}

// Name returns the last element of the name that the file was opened with.
func (i *Info) Name() string { return i.name }

// Size returns the length in bytes; for a symbolic link that of its target's name.
func (i *Info) Size() int64 { return int64(i.st.Size) }

// Mode returns the file's type and permissions.
func (i *Info) Mode() fs.FileMode { return modeOf(uint32(i.st.Mode)) }

// ModTime returns when the content last changed.
func (i *Info) ModTime() time.Time { return timeOf(i.st.Mtime) }

// IsDir returns Mode().IsDir().
func (i *Info) IsDir() bool { return i.Mode().IsDir() }

// AccessTime returns when the content was last read, as far as the file system records that.
func (i *Info) AccessTime() time.Time { return timeOf(i.st.Atime) }

// ChangeTime returns when the file's content or metadata, except its name, last changed.
func (i *Info) ChangeTime() time.Time { return timeOf(i.st.Ctime) }

// BirthTime returns when the file was made; the zero Time if unknown.
func (i *Info) BirthTime() time.Time {
	if i.st.Mask&sys.StatxBtime == 0 {
		return time.Time{}
	}
	return timeOf(i.st.Btime)
}

// Device returns the number of the file's device. Device and Inode together identify the file in the system as long as
// it exists.
func (i *Info) Device() uint64 { return i.st.Dev() }

// Inode returns the file's number on its Device.
func (i *Info) Inode() uint64 { return i.st.Ino }

// Links returns how many names (hard links) the file has.
func (i *Info) Links() int { return int(i.st.Nlink) }

// Owner returns the user and the group that the file belongs to.
func (i *Info) Owner() (uid, gid int) { return int(i.st.UID), int(i.st.GID) }

// Allocated returns the disk space of the file in bytes: less than Size if it has holes.
func (i *Info) Allocated() int64 { return int64(i.st.Blocks) * 512 }

// Attributes returns the STATX_ATTR_ bits of statx(2), and which of them the file system supports; on Windows the
// FILE_ATTRIBUTE_ bits.
func (i *Info) Attributes() (set, known uint64) { return i.st.Attributes, i.st.AttributesMask }

// Mount returns the number of the mount that the file was found in; 0 before Linux 5.8.
func (i *Info) Mount() uint64 { return i.st.MntID }

// SameFile reports whether two infos, of this package or of os, describe the same file. os.SameFile returns false for
// an info of this package, even if the files are the same. On Windows this one, too, returns false for infos of os,
// which have nothing to tell files apart.
func SameFile(a, b fs.FileInfo) bool {
	devA, inoA, ok := identity(a)
	devB, inoB, also := identity(b)
	return ok && also && devA == devB && inoA == inoB
}

func timeOf(t sys.StatxTime) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }
