//go:build linux

package file

import (
	"io/fs"
	"syscall"

	"ringo/internal/sys"
)

// osFacts is what Info.Sys points to.
type osFacts = syscall.Stat_t

// Sys returns a *syscall.Stat_t, the same one each time, so changes to it persist, as in package os.
func (i *Info) Sys() any { return &i.os }

// fill makes an osFacts of what statx(2) has said.
func fill(st *osFacts, s *sys.Statx) {
	set(&st.Dev, device(s.DevMajor, s.DevMinor))
	set(&st.Rdev, device(s.RdevMajor, s.RdevMinor))
	set(&st.Ino, s.Ino)
	setOldIno(st, s.Ino)
	set(&st.Nlink, s.Nlink)
	set(&st.Mode, s.Mode)
	set(&st.Uid, s.UID)
	set(&st.Gid, s.GID)
	set(&st.Size, s.Size)
	set(&st.Blksize, s.Blksize)
	set(&st.Blocks, s.Blocks)
	set(&st.Atim.Sec, s.Atime.Sec)
	set(&st.Atim.Nsec, s.Atime.Nsec)
	set(&st.Mtim.Sec, s.Mtime.Sec)
	set(&st.Mtim.Nsec, s.Mtime.Nsec)
	set(&st.Ctim.Sec, s.Ctime.Sec)
	set(&st.Ctim.Nsec, s.Ctime.Nsec)
}

type integer interface {
	~int32 | ~int64 | ~uint16 | ~uint32 | ~uint64
}

// set fills in a field whose size is the architecture's.
func set[F, V integer](field *F, v V) { *field = F(v) }

func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	switch st := info.Sys().(type) {
	case *syscall.Stat_t:
		return uint64(st.Dev), st.Ino, true
	}
	return 0, 0, false
}
