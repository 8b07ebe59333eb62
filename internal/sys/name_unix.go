//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// The calls on names. Flags of open(2) are the system's own, as on Linux; flags that only Linux has are bits that no
// system uses.
const (
	ONonblock  = unix.O_NONBLOCK
	OAppend    = unix.O_APPEND
	OCloexec   = unix.O_CLOEXEC
	OCreat     = unix.O_CREAT
	OExcl      = unix.O_EXCL
	OTrunc     = unix.O_TRUNC
	ODsync     = unix.O_SYNC
	OSync      = unix.O_SYNC
	ONoctty    = unix.O_NOCTTY
	ODirectory = unix.O_DIRECTORY
	ONofollow  = unix.O_NOFOLLOW
	OPath      = 1 << 29 // what stands for a name, see object
	OTmpfile   = 1<<28 | ODirectory
	OLargefile = 0
	ODirect    = 1 << 30 // refused: O_DIRECT of FreeBSD, NetBSD and DragonFly is only a hint

	ownFlags = ODirect | OPath | 1<<28
)

// HaveObjects says whether OPath opens a descriptor that stands for a name, even a link's, for calls with AtEmptyPath.
const HaveObjects = atEmptyPath != 0

// path returns a name without its NUL.
func path(p []byte) string { return string(p[:max(len(p)-1, 0)]) }

// dirfd returns a directory's descriptor, or the system's number for the working directory.
func dirfd(dir int32) int {
	if dir == AtFdcwd {
		return unix.AT_FDCWD
	}
	return int(dir)
}

// atFlags converts Linux's flags to the system's.
func atFlags(flags uint32) (native int) {
	if flags&AtSymlinkNofollow != 0 {
		native |= unix.AT_SYMLINK_NOFOLLOW
	}
	if flags&AtEmptyPath != 0 {
		native |= atEmptyPath
	}
	return native
}

// Openat2 is openat(2). -ENOSYS: it can't restrict the lookup. -EOPNOTSUPP: it can't make a file without a name.
func Openat2(dir int32, name []byte, how *OpenHow) int32 {
	if how.Resolve != 0 {
		return -ENOSYS
	}
	if how.Flags&ODirect != 0 {
		return posix.Lack(EINVAL)
	}
	if how.Flags&(1<<28) != 0 {
		return -EOPNOTSUPP
	}
	flags := int(how.Flags) &^ ownFlags
	if how.Flags&OPath != 0 {
		flags = flags&^OAccmode | object
	}
	fresh := !keepsSticky && flags&OCreat != 0 && how.Mode&sticky != 0 && // asked for only then
		Statxat(dir, name, 0, 0, new(Statx)) == -ENOENT
	res := again(func() (int, error) { return unix.Openat(dirfd(dir), path(name), flags, uint32(how.Mode)) })
	if fresh && res >= 0 {
		setSticky(dir, name) // as package os does: an error, where only root may, is ignored
	}
	if res == posix.Result(linkRefused) && flags&ONofollow != 0 {
		return -ELOOP
	}
	return res
}

// OpenatCached exists on Linux only: a worker opens.
func OpenatCached(dir int32, name []byte, how *OpenHow) int32 { return -ENOSYS }

// StatCached exists on Linux only.
func StatCached(dir int32, name []byte, flags uint32, st *Statx) int32 { return -ENOSYS }

// Statxat is fstatat(2), or fstat(2) of dir with AtEmptyPath.
func Statxat(dir int32, name []byte, flags, mask uint32, st *Statx) int32 {
	var got unix.Stat_t
	res := again(func() (int, error) {
		if flags&AtEmptyPath != 0 && path(name) == "" {
			return 0, unix.Fstat(dirfd(dir), &got)
		}
		return 0, unix.Fstatat(dirfd(dir), path(name), &got, atFlags(flags))
	})
	if res == 0 {
		st.from(&got)
	}
	return res
}

// from fills in the result of stat(2).
func (st *Statx) from(s *unix.Stat_t) {
	at := func(t unix.Timespec) StatxTime { return StatxTime{Sec: int64(t.Sec), Nsec: uint32(t.Nsec)} }
	*st = Statx{Mask: StatxBasic, Blksize: uint32(s.Blksize), Nlink: uint32(s.Nlink), UID: s.Uid, GID: s.Gid,
		Mode: uint16(s.Mode), Ino: uint64(s.Ino), Size: uint64(s.Size), Blocks: uint64(s.Blocks),
		Atime: at(s.Atim), Ctime: at(s.Ctim), Mtime: at(s.Mtim),
		RdevMajor: unix.Major(uint64(s.Rdev)), RdevMinor: unix.Minor(uint64(s.Rdev)),
		DevMajor: unix.Major(uint64(s.Dev)), DevMinor: unix.Minor(uint64(s.Dev))}
	if born, ok := birth(s); ok {
		st.Mask |= StatxBtime
		st.Btime = at(born)
	}
}

// Mkdirat is mkdirat(2).
func Mkdirat(dir int32, name []byte, mode uint32) int32 {
	res := again(func() (int, error) { return 0, unix.Mkdirat(dirfd(dir), path(name), mode) })
	if keepsSticky || mode&sticky == 0 || res < 0 {
		return res
	}
	if res = setSticky(dir, name); res < 0 {
		Unlinkat(dir, name, AtRemovedir)
	}
	return res
}

// sticky is a mode bit that only Linux gives to new files: for other systems see sticky(8).
const sticky = 0o1000

// setSticky adds the bit to a mode.
func setSticky(dir int32, name []byte) int32 {
	var st Statx
	if res := Statxat(dir, name, AtSymlinkNofollow, StatxBasic, &st); res < 0 {
		return res
	}
	return Fchmodat(dir, name, uint32(st.Mode)&0o7777|sticky, 0)
}

// Unlinkat is unlinkat(2).
func Unlinkat(dir int32, name []byte, flags uint32) int32 {
	native := 0
	if flags&AtRemovedir != 0 {
		native = unix.AT_REMOVEDIR
	}
	return again(func() (int, error) { return 0, unix.Unlinkat(dirfd(dir), path(name), native) })
}

// Renameat is renameat(2), or with flags the system's counterpart.
func Renameat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	if flags != 0 {
		return renameFlags(oldDir, old, newDir, name, flags)
	}
	return again(func() (int, error) {
		return 0, unix.Renameat(dirfd(oldDir), path(old), dirfd(newDir), path(name))
	})
}

// Linkat is linkat(2).
func Linkat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	native := 0
	if flags&AtSymlinkFollow != 0 {
		native = unix.AT_SYMLINK_FOLLOW
	}
	if flags&AtEmptyPath != 0 {
		return -EOPNOTSUPP
	}
	return again(func() (int, error) {
		return 0, unix.Linkat(dirfd(oldDir), path(old), dirfd(newDir), path(name), native)
	})
}

// Symlinkat is symlinkat(2).
func Symlinkat(target []byte, dir int32, name []byte) int32 {
	return again(func() (int, error) { return 0, unix.Symlinkat(path(target), dirfd(dir), path(name)) })
}

// Readlinkat is readlinkat(2). It returns the length of the target in p, which may be truncated there.
func Readlinkat(dir int32, name, p []byte) int32 {
	return again(func() (int, error) { return readlink(dirfd(dir), path(name), p) })
}

// Getdents returns entries as getdents64(2) does, but with names only: type and inode are unknown.
func Getdents(fd int32, p []byte) int32 {
	raw := make([]byte, max(len(p)/2, 512)) // an entry of Linux may be longer than the system's
	for {
		n := again(func() (int, error) { return readDirent(int(fd), raw) })
		if n <= 0 {
			return n
		}
		_, _, names := unix.ParseDirent(raw[:n], -1, nil)
		if len(names) == 0 {
			continue // "." and ".."
		}
		at := 0
		for _, name := range names {
			size := (direntHeader + len(name) + 1 + 7) &^ 7
			if at+size > len(p) {
				return -EINVAL
			}
			e := p[at : at+size]
			clear(e)
			binary.NativeEndian.PutUint16(e[16:], uint16(size))
			copy(e[direntHeader:], name)
			at += size
		}
		return int32(at)
	}
}

// direntHeader is the size of what precedes the name: inode, offset, length and type.
const direntHeader = 19

// Fchmodat is fchmodat(2).
func Fchmodat(dir int32, name []byte, mode, flags uint32) int32 {
	return again(func() (int, error) {
		return 0, unix.Fchmodat(dirfd(dir), path(name), mode, atFlags(flags))
	})
}

// Faccessat is faccessat(2). OpenBSD's and DragonFly's always follow a link, and check its target.
func Faccessat(dir int32, name []byte, mode, flags uint32) int32 {
	if !HaveObjects && flags&AtEmptyPath != 0 {
		return -ENOSYS
	}
	native := atFlags(flags)
	if flags&AtEaccess != 0 {
		native |= unix.AT_EACCESS
	}
	res := again(func() (int, error) { return 0, unix.Faccessat(dirfd(dir), path(name), mode, native) })
	if res == -EINVAL && flags&AtSymlinkNofollow != 0 {
		return Faccessat(dir, name, mode, flags&^AtSymlinkNofollow)
	}
	return res
}

// Fchownat is fchownat(2), or fchown(2) of dir with AtEmptyPath; an id of all ones leaves the owner, or the group.
func Fchownat(dir int32, name []byte, uid, gid, flags uint32) int32 {
	return again(func() (int, error) {
		if !HaveObjects && flags&AtEmptyPath != 0 && path(name) == "" {
			return 0, unix.Fchown(dirfd(dir), int(int32(uid)), int(int32(gid)))
		}
		return 0, unix.Fchownat(dirfd(dir), path(name), int(int32(uid)), int(int32(gid)), atFlags(flags))
	})
}

// Utimensat is utimensat(2); without a path dir is an open file, whose times have microseconds.
func Utimensat(dir int32, name []byte, times *TimePair, flags uint32) int32 {
	ts, res := nativeTimes(dir, name, times, flags)
	if res < 0 {
		return res
	}
	return again(func() (int, error) {
		if name == nil {
			var tv [2]unix.Timeval
			for i, t := range ts {
				tv[i].Sec = t.Sec
				set(&tv[i].Usec, int64(t.Nsec)/1000)
			}
			return 0, unix.Futimes(int(dir), tv[:])
		}
		return 0, unix.UtimesNanoAt(dirfd(dir), path(name), ts[:], atFlags(flags))
	})
}

// nativeTimes returns the times to set. A time that stays unchanged is read first.
func nativeTimes(dir int32, name []byte, times *TimePair, flags uint32) (ts [2]unix.Timespec, res int32) {
	var now Statx
	for i, t := range times {
		if t.Nsec != UtimeOmit {
			set(&ts[i].Sec, t.Sec)
			set(&ts[i].Nsec, t.Nsec)
			continue
		}
		if now.Mask == 0 {
			if name == nil {
				flags = AtEmptyPath
			}
			if res := Statxat(dir, name, flags, StatxBasic, &now); res < 0 {
				return ts, res
			}
		}
		is := [2]StatxTime{now.Atime, now.Mtime}[i]
		set(&ts[i].Sec, is.Sec)
		set(&ts[i].Nsec, int64(is.Nsec))
	}
	return ts, 0
}

// Truncate is truncate(2).
func Truncate(name []byte, size int64) int32 {
	return again(func() (int, error) { return 0, unix.Truncate(path(name), size) })
}

// set stores a number in a word of the system's size.
func set[T int32 | int64](word *T, n int64) { *word = T(n) }
