//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file may wait for a disk, or longer: the scheduler is told. They are repeated after EINTR, as
// package os does.

// Its arguments may be pointers, which it keeps alive and in place.
//
//go:uintptrescapes
func waiting(trap, a1, a2, a3, a4, a5, a6 uintptr) int32 {
	for {
		if res := result(syscall.Syscall6(trap, a1, a2, a3, a4, a5, a6)); res != eintr {
			return res
		}
	}
}

// Openat2 is openat2(2), or openat(2) if how asks for nothing that openat lacks. With ResolveBeneath the kernel
// returns -EAGAIN if directories were moved meanwhile, so that it can't tell whether a name leads out: then the call
// is repeated.
func Openat2(dir int32, path []byte, how *OpenHow) int32 {
	if how.Resolve == 0 {
		return waiting(unix.SYS_OPENAT, uintptr(dir), uintptr(base(path)), uintptr(how.Flags), uintptr(how.Mode), 0, 0)
	}
	for tries := 0; ; tries++ {
		res := waiting(unix.SYS_OPENAT2, uintptr(dir), uintptr(base(path)), uintptr(unsafe.Pointer(how)), OpenHowSize,
			0, 0)
		if res != -EAGAIN || how.Resolve&ResolveBeneath == 0 || tries == movesMax {
			return res
		}
	}
}

// movesMax bounds the repetitions because directories were moved.
const movesMax = 64

// OpenatCached is openat2(2) with RESOLVE_CACHED added. It does not wait: -EAGAIN means that the disk may have to be
// asked, or that how makes a file. Kernels before 5.12, which don't know the flag, return -EINVAL, and before 5.6
// -ENOSYS.
//
// The flag is about the lookup only, while the open of a FIFO waits for its other end, and the open of a device may
// wait too. So the result is -EAGAIN for everything except files and directories, which is found out by a descriptor
// that stands for the name; what takes its place meanwhile is opened without waiting (O_NONBLOCK).
func OpenatCached(dir int32, path []byte, how *OpenHow) int32 {
	if how.Flags&(OPath|ODirectory|OCreat|OTrunc) != 0 {
		return openatCached(dir, path, how)
	}
	name := openatCached(dir, path, &OpenHow{Flags: OPath | OCloexec | how.Flags&ONofollow, Resolve: how.Resolve})
	if name < 0 {
		return name
	}
	var st Statx
	res := statNow(name, &st)
	Close(name)
	if sort := st.Mode & unix.S_IFMT; res < 0 || sort != unix.S_IFREG && sort != unix.S_IFDIR {
		return -EAGAIN
	}
	plain := *how
	plain.Flags |= ONonblock
	fd := openatCached(dir, path, &plain)
	if fd >= 0 && how.Flags&ONonblock == 0 {
		Fcntl(fd, FSetfl, int(uint32(how.Flags)))
	}
	return fd
}

func openatCached(dir int32, path []byte, how *OpenHow) int32 {
	cached := *how
	cached.Resolve |= ResolveCached
	for {
		res := result(syscall.RawSyscall6(unix.SYS_OPENAT2, uintptr(dir), uintptr(base(path)),
			uintptr(unsafe.Pointer(&cached)), OpenHowSize, 0, 0))
		if res != eintr {
			return res
		}
	}
}

// StatCached is Statxat on what is in memory, by a descriptor that stands for the name only; with AtEmptyPath dir is
// that descriptor. Data for which a server would have to be asked may be old. Its errors when it can't tell are those
// of OpenatCached.
func StatCached(dir int32, path []byte, flags uint32, st *Statx) int32 {
	if flags&AtEmptyPath != 0 {
		return statNow(dir, st)
	}
	how := OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}
	if flags&AtSymlinkNofollow != 0 {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd := OpenatCached(dir, path, &how)
	if fd < 0 {
		return fd
	}
	res := statNow(fd, st)
	Close(fd)
	return res
}

func statNow(fd int32, st *Statx) int32 {
	return result(syscall.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(base(nil)),
		unix.AT_EMPTY_PATH|AtStatxDontSync,
		StatxAll, uintptr(unsafe.Pointer(st)), 0))
}

// Statxat is statx(2), or newfstatat(2) if a filter or an old kernel refuses statx. An empty path needs no NUL.
func Statxat(dir int32, path []byte, flags, mask uint32, st *Statx) int32 {
	res := waiting(unix.SYS_STATX, uintptr(dir), uintptr(base(path)), uintptr(flags), uintptr(mask),
		uintptr(unsafe.Pointer(st)), 0)
	if res != -ENOSYS && res != -EPERM {
		return res
	}
	var old unix.Stat_t
	res = blocking(func() (int, error) {
		return 0, unix.Fstatat(int(dir), string(path[:max(len(path)-1, 0)]), &old, int(flags&^AtStatxDontSync))
	})
	if res == 0 {
		st.from(&old)
	}
	return res
}

// from fills in the result of stat(2).
func (st *Statx) from(old *unix.Stat_t) {
	at := func(t unix.Timespec) StatxTime { return StatxTime{Sec: int64(t.Sec), Nsec: uint32(t.Nsec)} }
	*st = Statx{Mask: StatxBasic, Blksize: uint32(old.Blksize), Nlink: uint32(old.Nlink), UID: old.Uid, GID: old.Gid,
		Mode: uint16(old.Mode), Ino: uint64(old.Ino), Size: uint64(old.Size), Blocks: uint64(old.Blocks),
		Atime: at(old.Atim), Ctime: at(old.Ctim), Mtime: at(old.Mtim),
		RdevMajor: unix.Major(uint64(old.Rdev)), RdevMinor: unix.Minor(uint64(old.Rdev)),
		DevMajor: unix.Major(uint64(old.Dev)), DevMinor: unix.Minor(uint64(old.Dev))}
}

// Mkdirat is mkdirat(2).
func Mkdirat(dir int32, path []byte, mode uint32) int32 {
	return waiting(unix.SYS_MKDIRAT, uintptr(dir), uintptr(base(path)), uintptr(mode), 0, 0, 0)
}

// Mknodat is mknodat(2).
func Mknodat(dir int32, path []byte, mode, dev uint32) int32 {
	return waiting(unix.SYS_MKNODAT, uintptr(dir), uintptr(base(path)), uintptr(mode), uintptr(dev), 0, 0)
}

// Unlinkat is unlinkat(2).
func Unlinkat(dir int32, path []byte, flags uint32) int32 {
	return waiting(unix.SYS_UNLINKAT, uintptr(dir), uintptr(base(path)), uintptr(flags), 0, 0, 0)
}

// Renameat is renameat2(2).
func Renameat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	return waiting(unix.SYS_RENAMEAT2, uintptr(oldDir), uintptr(base(old)), uintptr(newDir),
		uintptr(base(name)), uintptr(flags), 0)
}

// Linkat is linkat(2).
func Linkat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	return waiting(unix.SYS_LINKAT, uintptr(oldDir), uintptr(base(old)), uintptr(newDir),
		uintptr(base(name)), uintptr(flags), 0)
}

// Symlinkat is symlinkat(2).
func Symlinkat(target []byte, dir int32, path []byte) int32 {
	return waiting(unix.SYS_SYMLINKAT, uintptr(base(target)), uintptr(dir), uintptr(base(path)), 0, 0, 0)
}

// Readlinkat is readlinkat(2). It returns the length of the target in p, which may be truncated there.
func Readlinkat(dir int32, path, p []byte) int32 {
	return waiting(unix.SYS_READLINKAT, uintptr(dir), uintptr(base(path)), uintptr(base(p)), clampLen(p), 0, 0)
}

// Getdents is getdents64(2). It returns how many bytes of entries are in p, 0 at the end.
func Getdents(fd int32, p []byte) int32 {
	return waiting(unix.SYS_GETDENTS64, uintptr(fd), uintptr(base(p)), clampLen(p), 0, 0, 0)
}

// Fchmodat is fchmodat(2), or with flags fchmodat2(2), since Linux 6.6.
func Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	if flags == 0 {
		return waiting(unix.SYS_FCHMODAT, uintptr(dir), uintptr(base(path)), uintptr(mode), 0, 0, 0)
	}
	return waiting(unix.SYS_FCHMODAT2, uintptr(dir), uintptr(base(path)), uintptr(mode), uintptr(flags), 0, 0)
}

// Faccessat is faccessat2(2), since Linux 5.8, or faccessat(2), which has no flags. If a filter or an old kernel
// refuses the first, the second also serves AtEaccess, if the process's real and effective user and group are the
// same.
func Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	if flags != 0 {
		res := waiting(unix.SYS_FACCESSAT2, uintptr(dir), uintptr(base(path)), uintptr(mode), uintptr(flags), 0, 0)
		if res != -ENOSYS && res != -EPERM || flags != AtEaccess ||
			unix.Getuid() != unix.Geteuid() || unix.Getgid() != unix.Getegid() {
			return res
		}
	}
	return waiting(unix.SYS_FACCESSAT, uintptr(dir), uintptr(base(path)), uintptr(mode), 0, 0, 0)
}

// Fchownat is fchownat(2); an id of all ones leaves the owner, or the group.
func Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32 {
	return waiting(unix.SYS_FCHOWNAT, uintptr(dir), uintptr(base(path)), uintptr(uid), uintptr(gid), uintptr(flags), 0)
}

// Utimensat is utimensat(2); without a path dir is an open file.
func Utimensat(dir int32, path []byte, times *TimePair, flags uint32) int32 {
	var ts [2]unix.Timespec
	for i, t := range times {
		set(&ts[i].Sec, t.Sec)
		set(&ts[i].Nsec, t.Nsec)
	}
	name := base(path)
	if path == nil {
		name = nil
	}
	return waiting(unix.SYS_UTIMENSAT, uintptr(dir), uintptr(name), uintptr(unsafe.Pointer(&ts)), uintptr(flags), 0, 0)
}

// set stores a number in a word of the architecture's size.
func set[T int32 | int64](word *T, n int64) { *word = T(n) }

// Truncate is truncate(2).
func Truncate(path []byte, size int64) int32 {
	return blocking(func() (int, error) { return 0, unix.Truncate(string(path[:len(path)-1]), size) })
}

// CopyRange is copy_file_range(2) of up to n bytes. Negative offsets mean the files' positions, which then advance. 0
// is the end of in; files of /proc return it too, without being at their end.
func CopyRange(in, out int32, inOff, outOff int64, n int) int32 {
	n = min(max(n, 0), transferMax)
	return blocking(func() (int, error) {
		from, to := &inOff, &outOff
		if inOff < 0 {
			from = nil
		}
		if outOff < 0 {
			to = nil
		}
		return unix.CopyFileRange(int(in), from, int(out), to, n, 0)
	})
}

// Clone is ioctl(2) FICLONE: out becomes a copy of in that shares its blocks.
func Clone(out, in int32) int32 {
	return waiting(unix.SYS_IOCTL, uintptr(out), unix.FICLONE, uintptr(in), 0, 0, 0)
}

// SeekIn is lseek(2).
func SeekIn(fd int32, off int64, whence int) (int64, int32) {
	at := int64(0)
	res := blocking(func() (int, error) {
		n, err := unix.Seek(int(fd), off, whence)
		at = n
		return 0, err
	})
	return at, res
}
