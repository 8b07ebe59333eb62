//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// Fsync is fsync(2), or fdatasync(2).
func Fsync(fd int32, dataOnly bool) int32 {
	return blocking(func() (int, error) {
		if dataOnly {
			return 0, unix.Fdatasync(int(fd))
		}
		return 0, unix.Fsync(int(fd))
	})
}

// SyncFileRange is sync_file_range(2).
func SyncFileRange(fd int32, off, n int64, flags int) int32 {
	return blocking(func() (int, error) { return 0, unix.SyncFileRange(int(fd), off, n, flags) })
}

// Fallocate is fallocate(2).
func Fallocate(fd int32, mode uint32, off, n int64) int32 {
	return blocking(func() (int, error) { return 0, unix.Fallocate(int(fd), mode, off, n) })
}

// Fadvise is posix_fadvise(2).
func Fadvise(fd int32, off, n int64, advice int) int32 {
	return blocking(func() (int, error) { return 0, unix.Fadvise(int(fd), off, n, advice) })
}

// Ftruncate is ftruncate(2).
func Ftruncate(fd int32, size int64) int32 {
	return blocking(func() (int, error) { return 0, unix.Ftruncate(int(fd), size) })
}

// Fstatfs is fstatfs(2).
func Fstatfs(fd int32, st *Statfs) int32 {
	var own unix.Statfs_t
	res := blocking(func() (int, error) { return 0, unix.Fstatfs(int(fd), &own) })
	st.from(&own)
	return res
}

// StatfsOf is statfs(2).
func StatfsOf(path []byte, st *Statfs) int32 {
	var own unix.Statfs_t
	res := blocking(func() (int, error) { return 0, unix.Statfs(string(path[:len(path)-1]), &own) })
	st.from(&own)
	return res
}

// from converts the kernel's struct, whose fields have the architecture's size.
func (st *Statfs) from(own *unix.Statfs_t) {
	*st = Statfs{Type: int64(uint32(own.Type)), BlockSize: int64(own.Frsize), Blocks: own.Blocks, BlocksFree: own.Bfree,
		BlocksUsable: own.Bavail, Files: own.Files, FilesFree: own.Ffree, NameMax: int64(own.Namelen),
		Flags: int64(own.Flags)}
	if st.BlockSize == 0 { // the file system has only one size
		st.BlockSize = int64(own.Bsize)
	}
}

// Fchmod is fchmod(2).
func Fchmod(fd int32, mode uint32) int32 {
	return blocking(func() (int, error) { return 0, unix.Fchmod(int(fd), mode) })
}

// Fchdir is fchdir(2).
func Fchdir(fd int32) int32 {
	return blocking(func() (int, error) { return 0, unix.Fchdir(int(fd)) })
}

// OFDLock is fcntl(2) with F_OFD_SETLK: a lock of the open file, which does not wait.
func OFDLock(fd int32, kind int16, off, n int64) int32 {
	lock := unix.Flock_t{Type: kind, Start: off, Len: n}
	return blocking(func() (int, error) { return 0, unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) })
}
