//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is read(2) on a descriptor whose read does not wait: it is non-blocking, or known to be ready.
func Read(fd int32, p []byte) int32 {
	for {
		if res := result(syscall.RawSyscall6(unix.SYS_READ, uintptr(fd), uintptr(base(p)), clampLen(p),
			0, 0, 0)); res != eintr {
			return res
		}
	}
}

// Write is write(2) on a descriptor whose write does not wait.
func Write(fd int32, p []byte) int32 {
	for {
		if res := result(syscall.RawSyscall6(unix.SYS_WRITE, uintptr(fd), uintptr(base(p)), clampLen(p),
			0, 0, 0)); res != eintr {
			return res
		}
	}
}

// ReadAt is pread(2), or read(2) at the file position when off is negative.
// It may wait for the disk; the scheduler is told.
func ReadAt(fd int32, p []byte, off int64) int32 {
	for {
		var res int32
		switch {
		case off < 0:
			res = result(syscall.Syscall(unix.SYS_READ, uintptr(fd), uintptr(base(p)), clampLen(p)))
		case wide:
			res = result(syscall.Syscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(base(p)), clampLen(p), uintptr(off), 0,
				0))
		default:
			return blocking(func() (int, error) { return unix.Pread(int(fd), p[:clampLen(p)], off) })
		}
		if res != eintr {
			return res
		}
	}
}

// ReadAtInMemory is ReadAt for a file that never waits for a disk. Short reads are made without telling the scheduler,
// see nowMax.
func ReadAtInMemory(fd int32, p []byte, off int64) int32 {
	if len(p) > nowMax || off >= 0 && !wide {
		return ReadAt(fd, p, off)
	}
	for {
		var res int32
		if off < 0 {
			res = result(syscall.RawSyscall6(unix.SYS_READ, uintptr(fd), uintptr(base(p)), uintptr(len(p)), 0, 0, 0))
		} else {
			res = result(syscall.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(base(p)),
				uintptr(len(p)), uintptr(off), 0, 0))
		}
		if res != eintr {
			return res
		}
	}
}

// WriteAt is pwrite(2), or write(2) at the file position when off is negative.
// It may wait for the disk; the scheduler is told.
func WriteAt(fd int32, p []byte, off int64) int32 {
	for {
		var res int32
		switch {
		case off < 0:
			res = result(syscall.Syscall(unix.SYS_WRITE, uintptr(fd), uintptr(base(p)), clampLen(p)))
		case wide:
			res = result(syscall.Syscall6(unix.SYS_PWRITE64, uintptr(fd), uintptr(base(p)), clampLen(p), uintptr(off),
				0, 0))
		default:
			return blocking(func() (int, error) { return unix.Pwrite(int(fd), p[:clampLen(p)], off) })
		}
		if res != eintr {
			return res
		}
	}
}

// wide says whether an offset fits into one word. If it takes two, each architecture passes them in its own way.
const wide = unsafe.Sizeof(uintptr(0)) == 8

func blocking(call func() (int, error)) int32 {
	for {
		n, err := call()
		if err == nil {
			return int32(n)
		}
		if res := -int32(errnoOf(err)); res != eintr {
			return res
		}
	}
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
	if unix.Fstat(int(fd), &st) != nil {
		return -EBADF
	}
	return int32(st.Mode & SIfmt)
}

// Poll asks for the readiness of one descriptor without waiting. The result is the ready mask, 0 for none.
func Poll(fd int32, mask uint32) int32 {
	p := unix.PollFd{Fd: fd, Events: int16(mask)}
	for {
		var ts unix.Timespec
		res := result(syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)),
			0, 0, 0))
		if res >= 0 {
			return int32(uint16(p.Revents))
		}
		if res != eintr {
			return res
		}
	}
}
