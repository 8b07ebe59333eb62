package kernel

import (
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Calls that may wait. What happened before such a call happens before what follows another one that has seen its
// effect. The race detector can't see that, nor which memory the kernel reads and writes, so it is told.

func waits(call func() int32) int32 {
	if race.Enabled {
		race.WriteLike()
		defer race.ReadLike()
	}
	return again(call)
}

// fills is waits for a call that writes into p, unless p is empty.
func fills(p []byte, call func() int32) int32 {
	res := waits(call)
	if race.Enabled && res > 0 && len(p) > 0 {
		race.WriteRange(p[:res])
	}
	return res
}

// Lseek is lseek(2).
func (Host) Lseek(fd int32, off int64, whence int) (at int64, res int32) {
	return sys.SeekIn(fd, off, whence)
}

// SyncRange is sync_file_range(2).
func (Host) SyncRange(fd int32, off, n int64, flags int) int32 {
	return waits(func() int32 { return sys.SyncFileRange(fd, off, n, flags) })
}

// Advise is posix_fadvise(2).
func (Host) Advise(fd int32, off, n int64, advice int) int32 {
	return waits(func() int32 { return sys.Fadvise(fd, off, n, advice) })
}

// Fstatfs is fstatfs(2).
func (Host) Fstatfs(fd int32, st *sys.Statfs) int32 {
	return waits(func() int32 { return sys.Fstatfs(fd, st) })
}

// Fchmod is fchmod(2).
func (Host) Fchmod(fd int32, mode uint32) int32 {
	return waits(func() int32 { return sys.Fchmod(fd, mode) })
}

// Fchdir is fchdir(2).
func (Host) Fchdir(fd int32) int32 { return waits(func() int32 { return sys.Fchdir(fd) }) }

// Fgetxattr is fgetxattr(2).
func (Host) Fgetxattr(fd int32, name, p []byte) int32 {
	return fills(p, func() int32 { return sys.Fgetxattr(fd, name, p) })
}

// Fsetxattr is fsetxattr(2).
func (Host) Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	if race.Enabled {
		race.ReadRange(p)
	}
	return waits(func() int32 { return sys.Fsetxattr(fd, name, p, flags) })
}

// Flistxattr is flistxattr(2).
func (Host) Flistxattr(fd int32, p []byte) int32 {
	return fills(p, func() int32 { return sys.Flistxattr(fd, p) })
}

// Fremovexattr is fremovexattr(2).
func (Host) Fremovexattr(fd int32, name []byte) int32 {
	return waits(func() int32 { return sys.Fremovexattr(fd, name) })
}

// Lock is fcntl(2) with F_OFD_SETLK.
func (Host) Lock(fd int32, kind int16, off, n int64) int32 {
	return waits(func() int32 { return sys.OFDLock(fd, kind, off, n) })
}

// Getdents is getdents64(2).
func (Host) Getdents(fd int32, p []byte) int32 {
	return fills(p, func() int32 { return sys.Getdents(fd, p) })
}

// CopyRange is copy_file_range(2).
func (Host) CopyRange(out, in int32, n int) int32 {
	return waits(func() int32 { return sys.CopyRange(in, out, -1, -1, n) })
}

// Clone is ioctl(2) with FICLONE.
func (Host) Clone(out, in int32) int32 {
	return waits(func() int32 { return sys.Clone(out, in) })
}

// Openat2 is openat2(2), or openat(2) if how asks for nothing that openat lacks.
func (Host) Openat2(dir int32, path []byte, how *sys.OpenHow) int32 {
	return waits(func() int32 { return sys.Openat2(dir, path, how) })
}

// Statx is statx(2), or fstatat(2) if a filter or an old kernel refuses statx.
func (Host) Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32 {
	return waits(func() int32 { return sys.Statxat(dir, path, flags, mask, st) })
}

// Unlinkat is unlinkat(2).
func (Host) Unlinkat(dir int32, path []byte, flags uint32) int32 {
	return waits(func() int32 { return sys.Unlinkat(dir, path, flags) })
}

// Readlinkat is readlinkat(2).
func (Host) Readlinkat(dir int32, path, p []byte) int32 {
	return fills(p, func() int32 { return sys.Readlinkat(dir, path, p) })
}

// Fchmodat is fchmodat(2), or with flags fchmodat2(2), since Linux 6.6.
func (Host) Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	return waits(func() int32 { return sys.Fchmodat(dir, path, mode, flags) })
}

// Faccessat is faccessat2(2), since Linux 5.8, or faccessat(2) where that has the same result.
func (Host) Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	return waits(func() int32 { return sys.Faccessat(dir, path, mode, flags) })
}

// Statfs is statfs(2).
func (Host) Statfs(path []byte, st *sys.Statfs) int32 {
	return waits(func() int32 { return sys.StatfsOf(path, st) })
}

// Fchownat is fchownat(2).
func (Host) Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32 {
	return waits(func() int32 { return sys.Fchownat(dir, path, uid, gid, flags) })
}

// Utimensat is utimensat(2).
func (Host) Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32 {
	return waits(func() int32 { return sys.Utimensat(dir, path, times, flags) })
}

// Mknodat is mknodat(2).
func (Host) Mknodat(dir int32, path []byte, mode, dev uint32) int32 {
	return waits(func() int32 { return sys.Mknodat(dir, path, mode, dev) })
}

// Truncate is truncate(2).
func (Host) Truncate(path []byte, size int64) int32 {
	return waits(func() int32 { return sys.Truncate(path, size) })
}
