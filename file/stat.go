package file

import (
	"io/fs"
	"path"
	"time"

	"ringo/internal/sys"
)

// Info is what a file system says of a file: an fs.FileInfo, and what statx(2) has
// beside. Its Sys is a *syscall.Stat_t, as that of os's is. Package os's SameFile knows infos of its own only, and says
// false of all others: SameFile here knows both.
type Info struct {
	name string
	st   sys.Statx
	os   osFacts
}

// Stat asks about the file. The Info is an *Info. It may wait, on network file systems as
// a rule; a task parks.
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

// Name is the last element of the name that the file was opened with.
func (i *Info) Name() string { return i.name }

// Size is the length in bytes, of a symbolic link that of its target's name.
func (i *Info) Size() int64 { return int64(i.st.Size) }

// Mode is the sort of file and its permissions.
func (i *Info) Mode() fs.FileMode { return modeOf(uint32(i.st.Mode)) }

// ModTime is when the content changed last.
func (i *Info) ModTime() time.Time { return timeOf(i.st.Mtime) }

// IsDir is Mode().IsDir().
func (i *Info) IsDir() bool { return i.Mode().IsDir() }

// AccessTime is when the content was read last, as far as the file system keeps that.
func (i *Info) AccessTime() time.Time { return timeOf(i.st.Atime) }

// ChangeTime is when anything about the file changed last, its name excepted.
func (i *Info) ChangeTime() time.Time { return timeOf(i.st.Ctime) }

// BirthTime is when the file was made; the zero Time where the file system does not say.
func (i *Info) BirthTime() time.Time {
	if i.st.Mask&sys.StatxBtime == 0 {
		return time.Time{}
	}
	return timeOf(i.st.Btime)
}

// Device and Inode name the file in the whole system for as long as it is there.
func (i *Info) Device() uint64 { return device(i.st.DevMajor, i.st.DevMinor) }

// Inode is the file's number on its Device.
func (i *Info) Inode() uint64 { return i.st.Ino }

// Links is how many names the file has.
func (i *Info) Links() int { return int(i.st.Nlink) }

// Owner is the user and the group that the file belongs to.
func (i *Info) Owner() (uid, gid int) { return int(i.st.UID), int(i.st.GID) }

// Allocated is how many bytes of the disk it takes: fewer than Size with holes.
func (i *Info) Allocated() int64 { return int64(i.st.Blocks) * 512 }

// Attributes are STATX_ATTR_ bits of statx(2), for those that the file system knows.
func (i *Info) Attributes() (set, known uint64) { return i.st.Attributes, i.st.AttributesMask }

// Mount is the number of the mount that the file was found in; 0 before Linux 5.8.
func (i *Info) Mount() uint64 { return i.st.MntID }

// SameFile reports whether two infos, of this package or of os, are about one file.
func SameFile(a, b fs.FileInfo) bool {
	devA, inoA, ok := identity(a)
	devB, inoB, also := identity(b)
	return ok && also && devA == devB && inoA == inoB
}

func timeOf(t sys.StatxTime) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// device is a device's number as the kernel's newer calls have it (makedev(3)).
func device(major, minor uint32) uint64 {
	return uint64(major)&0xfff<<8 | uint64(major)&^0xfff<<32 | uint64(minor)&0xff | uint64(minor)&^0xff<<12
}
