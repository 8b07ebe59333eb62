//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// again repeats a call while a signal interrupts it.
func again(call func() (int, error)) int32 {
	for {
		n, err := call()
		if err != unix.EINTR {
			return count(n, err)
		}
	}
}

// Read is read(2) on a descriptor whose read does not wait.
func Read(fd int32, p []byte) int32 {
	return again(func() (int, error) { return unix.Read(int(fd), p[:clampLen(p)]) })
}

// Write is write(2) on a descriptor whose write does not wait.
func Write(fd int32, p []byte) int32 {
	return torn(again(func() (int, error) { return unix.Write(int(fd), p[:clampLen(p)]) }))
}

// ReadAt is pread(2), or read(2) at the file's position when off is negative. It may wait.
func ReadAt(fd int32, p []byte, off int64) int32 {
	if off < 0 {
		return Read(fd, p)
	}
	return again(func() (int, error) { return unix.Pread(int(fd), p[:clampLen(p)], off) })
}

// ReadAtInMemory is ReadAt.
func ReadAtInMemory(fd int32, p []byte, off int64) int32 { return ReadAt(fd, p, off) }

// WriteAt is pwrite(2), or write(2) at the file's position when off is negative. It may wait.
func WriteAt(fd int32, p []byte, off int64) int32 {
	if off < 0 {
		return Write(fd, p)
	}
	return again(func() (int, error) { return unix.Pwrite(int(fd), p[:clampLen(p)], off) })
}

// ReadvAt reads into the slices one after the other, until one is not filled.
func ReadvAt(fd int32, vec []Iovec, off int64) int32 { return vectorAt(ReadAt, fd, vec, off) }

// WritevAt writes the slices one after the other, until one is not written fully. So others' bytes may come between
// them.
func WritevAt(fd int32, vec []Iovec, off int64) int32 { return vectorAt(WriteAt, fd, vec, off) }

func vectorAt(call func(int32, []byte, int64) int32, fd int32, vec []Iovec, off int64) int32 {
	total := int32(0)
	for _, p := range buffers(vec) {
		p = p[:min(clampLen(p), 0x7ffff000-int(total))]
		n := call(fd, p, off)
		if n < 0 && total > 0 {
			return total
		}
		if n < 0 {
			return n
		}
		total += n
		if int(n) < len(p) {
			break
		}
		if off >= 0 {
			off += int64(n)
		}
	}
	return total
}

// ReadNow is a read that does not wait for a disk. Only Linux has it; here workers read.
func ReadNow(fd int32, p []byte) int32 { return -ENOSYS }

// WriteNow exists on Linux only.
func WriteNow(fd int32, p []byte) int32 { return -ENOSYS }

// ReadAtNow exists on Linux only.
func ReadAtNow(fd int32, p []byte, off int64) int32 { return -ENOSYS }

// WriteAtNow exists on Linux only.
func WriteAtNow(fd int32, p []byte, off int64) int32 { return -ENOSYS }

// ReadvAtNow exists on Linux only.
func ReadvAtNow(fd int32, vec []Iovec, off int64) int32 { return -ENOSYS }

// WritevAtNow exists on Linux only.
func WritevAtNow(fd int32, vec []Iovec, off int64) int32 { return -ENOSYS }

// Resident exists on Linux only.
func Resident(fd int32, off, n int64) int32 { return -ENOSYS }

// StatusFlags is fcntl(2) F_GETFL: the flags of the open file.
func StatusFlags(fd int32) int32 { return Fcntl(fd, FGetfl, 0) }

// IsDirect reports whether fd bypasses the page cache.
func IsDirect(fd int32) bool { return false }

// Blocks reports whether calls on fd may wait, because it is not in non-blocking mode.
func Blocks(fd int32) bool {
	flags := StatusFlags(fd)
	return flags >= 0 && flags&ONonblock == 0
}

// IsRegular reports whether fd is a regular file, a directory or a block device: always ready, but its calls may wait
// for a disk.
func IsRegular(fd int32) bool {
	switch FileType(fd) {
	case SIfreg, SIfdir, SIfblk:
		return true
	}
	return false
}

// FileType returns the file type of fd, by fstat(2): SIfsock, SIfifo and so on.
func FileType(fd int32) int32 {
	var st unix.Stat_t
	if err := unix.Fstat(int(fd), &st); err != nil {
		return failed(err)
	}
	return int32(st.Mode & SIfmt)
}

// Fsync is fsync(2), made as durable as the system can; dataOnly makes no difference.
func Fsync(fd int32, dataOnly bool) int32 {
	return again(func() (int, error) { return 0, syncFile(int(fd)) })
}

// durably syncs a file where fsync(2) leaves it in the disk's cache: by the system's own call, or by fsync on a file
// system that does not support that call. Any other error is the disk's, and fsync would hide it.
func durably(full, plain func() error) error {
	err := full()
	if err == unix.ENOTSUP || err == unix.ENOTTY || err == unix.EINVAL {
		return plain()
	}
	return err
}

// SyncFileRange exists on Linux only.
func SyncFileRange(fd int32, off, n int64, flags int) int32 { return posix.Lack(ENOSYS) }

// Fallocate is not supported.
func Fallocate(fd int32, mode uint32, off, n int64) int32 { return posix.Lack(EOPNOTSUPP) }

// Fadvise is not supported: advice has no effect.
func Fadvise(fd int32, off, n int64, advice int) int32 { return posix.Lack(ENOSYS) }

// Ftruncate is ftruncate(2).
func Ftruncate(fd int32, size int64) int32 {
	return again(func() (int, error) { return 0, unix.Ftruncate(int(fd), size) })
}

// Fchmod is fchmod(2).
func Fchmod(fd int32, mode uint32) int32 {
	return again(func() (int, error) { return 0, unix.Fchmod(int(fd), mode) })
}

// Fchdir is fchdir(2).
func Fchdir(fd int32) int32 { return again(func() (int, error) { return 0, unix.Fchdir(int(fd)) }) }

// OFDLock is flock(2). Its locks belong to the open file, as Linux's OFD locks do, but cover the whole file: locking a
// part of it is not supported.
func OFDLock(fd int32, kind int16, off, n int64) int32 {
	if off != 0 || n != 0 {
		return posix.Lack(EOPNOTSUPP)
	}
	how := map[int16]int{FRdlck: unix.LOCK_SH, FWrlck: unix.LOCK_EX, FUnlck: unix.LOCK_UN}[kind]
	return again(func() (int, error) { return 0, unix.Flock(int(fd), how|unix.LOCK_NB) })
}

// SeekIn is lseek(2).
func SeekIn(fd int32, off int64, whence int) (int64, int32) {
	native, ok := seekable(whence)
	if !ok {
		return 0, -EINVAL
	}
	at, err := unix.Seek(int(fd), off, native)
	return at, done(err)
}

// CopyRange exists on Linux only: callers copy by reads and writes.
func CopyRange(in, out int32, inOff, outOff int64, n int) int32 { return -ENOSYS }

// Clone exists on Linux only.
func Clone(out, in int32) int32 { return -EOPNOTSUPP }
