package memkernel

import (
	"time"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// Statx describes a file.
func (h *Host) Statx(dir int32, path []byte, flags, _ uint32, st *sys.Statx) int32 {
	h.looksUp()
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	*st = sys.Statx{Mask: sys.StatxBasic | sys.StatxBtime, Blksize: pageSize, Nlink: n.nlink, UID: n.uid, GID: n.gid,
		Mode: uint16(n.mode), Ino: n.ino, Size: uint64(n.size), Blocks: uint64(n.space()) * (pageSize / 512),
		Atime: n.atime, Btime: n.btime, Ctime: n.ctime, Mtime: n.mtime,
		RdevMajor: n.rdev >> 8 & 0xfff, RdevMinor: n.rdev&0xff | n.rdev>>12&0xfff00,
		DevMajor: 8, DevMinor: 1, MntID: 1}
	if n.isDir() {
		st.Size = pageSize
	}
	if n.mode&sys.SIfmt == sys.SIflnk {
		st.Size = uint64(len(n.target))
	}
	return 0
}

// WallStart is the time of hosts' wall clocks when the world begins, as Unix time: 1 January 2026.
const WallStart = 1767225600

// wall returns the host's wall clock time, as system calls return it.
func (h *Host) wall() sys.StatxTime {
	t := time.Unix(WallStart, h.w.Now()-world.Start)
	if h.Wall != nil {
		t = h.Wall()
	}
	return sys.StatxTime{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

func (n *inode) chmod(mode uint32) int32 {
	n.mode = n.mode&sys.SIfmt | mode&0o7777
	n.ctime = n.h.wall()
	return 0
}

// Fchmod sets the mode.
func (h *Host) Fchmod(fd int32, mode uint32) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.EINVAL)
	if res < 0 {
		return res
	}
	return f.chmod(mode)
}

// Fchmodat sets the mode.
func (h *Host) Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	h.looksUp()
	n, res := h.node(dir, path, flags, true)
	if res < 0 {
		return res
	}
	return n.chmod(mode)
}

// Faccessat reports whether the process may use a file as mode says. It runs as root, which may do everything, but
// execute only what someone may execute.
func (h *Host) Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	h.looksUp()
	if mode > 7 || flags&^(sys.AtEaccess|sys.AtSymlinkNofollow|sys.AtEmptyPath) != 0 {
		return -sys.EINVAL
	}
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	switch {
	case res < 0:
		return res
	case mode&1 != 0 && !n.isDir() && n.mode&0o111 == 0:
		return -sys.EACCES
	}
	return 0
}

// Fchownat sets owner and group.
func (h *Host) Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32 {
	h.looksUp()
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	if uid != ^uint32(0) {
		n.uid = uid
	}
	if gid != ^uint32(0) {
		n.gid = gid
	}
	n.ctime = h.wall()
	return 0
}

// Utimensat sets times.
func (h *Host) Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32 {
	h.looksUp()
	if text(path) == "" {
		flags |= sys.AtEmptyPath
	}
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	for i, at := range []*sys.StatxTime{&n.atime, &n.mtime} {
		if t := times[i]; t.Nsec != sys.UtimeOmit {
			*at = sys.StatxTime{Sec: t.Sec, Nsec: uint32(t.Nsec)}
		}
	}
	n.ctime = h.wall()
	return 0
}

// Truncate sets the length.
func (h *Host) Truncate(path []byte, size int64) int32 {
	h.looksUp()
	n, res := h.node(sys.AtFdcwd, path, 0, true)
	switch {
	case res < 0:
		return res
	case n.isDir():
		return -sys.EISDIR
	case size < 0, n.mode&sys.SIfmt != sys.SIfreg:
		return -sys.EINVAL
	case size > fileMax:
		return -int32(sys.EFBIG)
	}
	n.resize(size)
	return 0
}
