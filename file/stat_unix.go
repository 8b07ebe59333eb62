//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"io/fs"
	"syscall"

	"ringo/internal/sys"
)

// osFacts is the type that Info.Sys points to.
type osFacts = syscall.Stat_t

// Sys returns a *syscall.Stat_t, the same one each time, so changes to it persist, as in package os.
func (i *Info) Sys() any { return &i.os }

// fill fills in an osFacts from the result of statx(2), or of the system's stat(2).
func fill(st *osFacts, s *sys.Statx) {
	set(&st.Dev, s.Dev())
	set(&st.Rdev, s.Rdev())
	set(&st.Ino, s.Ino)
	setOldIno(st, s.Ino)
	set(&st.Nlink, s.Nlink)
	set(&st.Mode, s.Mode)
	set(&st.Uid, s.UID)
	set(&st.Gid, s.GID)
	set(&st.Size, s.Size)
	set(&st.Blksize, s.Blksize)
	set(&st.Blocks, s.Blocks)
	read, written, changed, made := timesOf(st)
	setTime(read, s.Atime)
	setTime(written, s.Mtime)
	setTime(changed, s.Ctime)
	if made != nil {
		setTime(made, s.Btime)
	}
}

func setTime(t *syscall.Timespec, s sys.StatxTime) {
	set(&t.Sec, s.Sec)
	set(&t.Nsec, s.Nsec)
}

type integer interface {
	~int32 | ~int64 | ~uint16 | ~uint32 | ~uint64
}

// set assigns to a field whose type depends on the architecture.
func set[F, V integer](field *F, v V) { *field = F(v) }

func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return uint64(st.Dev), st.Ino, true
}
