//go:build linux

package memkernel

import (
	"golang.org/x/sys/unix"

	"ringo/internal/sys"
	"ringo/internal/world"
)

// Statx tells what is known of a file.
func (h *Host) Statx(dir int32, path []byte, flags, _ uint32, st *sys.Statx) int32 {
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	*st = sys.Statx{Mask: sys.StatxBasic | sys.StatxBtime, Blksize: pageSize, Nlink: n.nlink, UID: n.uid, GID: n.gid,
		Mode: uint16(n.mode), Ino: n.ino, Size: uint64(n.size), Blocks: uint64(len(n.pages)) * (pageSize / 512),
		Atime: h.stamp(n.atime), Btime: h.stamp(n.btime), Ctime: h.stamp(n.ctime), Mtime: h.stamp(n.mtime),
		RdevMajor: unix.Major(uint64(n.rdev)), RdevMinor: unix.Minor(uint64(n.rdev)),
		DevMajor: 8, DevMinor: 1, MntID: 1}
	if n.isDir() {
		st.Size = pageSize
	}
	if n.mode&sys.SIfmt == sys.SIflnk {
		st.Size = uint64(len(n.target))
	}
	return 0
}

// wallStart is what a wall clock says when the world begins: the first of January 2030.
const wallStart = 1893456000

// stamp is a time of a file. Those that Utimensat has set are kept as they are, as negative numbers.
func (h *Host) stamp(ns int64) sys.StatxTime {
	ns += (wallStart)*1e9 - world.Start
	return sys.StatxTime{Sec: floor(ns, 1e9), Nsec: uint32(ns - floor(ns, 1e9)*1e9)}
}

func floor(a, b int64) int64 {
	if q := a / b; a%b >= 0 {
		return q
	}
	return a/b - 1
}

// unstamp is a time as inodes have it.
func unstamp(sec, nsec int64) int64 { return (sec-wallStart)*1e9 + nsec + world.Start }

func (n *inode) chmod(mode uint32) int32 {
	n.mode = n.mode&sys.SIfmt | mode&0o7777
	n.ctime = n.h.w.Now()
	return 0
}

// Fchmod sets the mode.
func (h *Host) Fchmod(fd int32, mode uint32) int32 {
	f, _, res := find[*file](h, fd, sys.EINVAL)
	if res < 0 {
		return res
	}
	return f.chmod(mode)
}

// Fchmodat sets the mode.
func (h *Host) Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	n, res := h.node(dir, path, flags, true)
	if res < 0 {
		return res
	}
	return n.chmod(mode)
}

// Faccessat says whether who runs may do with a file what mode asks for. That is root, who may all, but execute only
// what anybody may.
func (h *Host) Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
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
	n.ctime = h.w.Now()
	return 0
}

// Utimensat sets times.
func (h *Host) Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32 {
	if text(path) == "" {
		flags |= sys.AtEmptyPath
	}
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	for i, at := range []*int64{&n.atime, &n.mtime} {
		if t := times[i]; t.Nsec != sys.UtimeOmit {
			*at = unstamp(t.Sec, t.Nsec)
		}
	}
	n.ctime = h.w.Now()
	return 0
}

// Truncate sets the length.
func (h *Host) Truncate(path []byte, size int64) int32 {
	n, res := h.node(sys.AtFdcwd, path, 0, true)
	switch {
	case res < 0:
		return res
	case n.isDir():
		return -sys.EISDIR
	case size < 0, n.mode&sys.SIfmt != unix.S_IFREG:
		return -sys.EINVAL
	case size > fileMax:
		return -int32(unix.EFBIG)
	}
	n.resize(size)
	return 0
}
