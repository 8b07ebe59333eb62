//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadNow is preadv2(2) at the file's position with RWF_NOWAIT: a read that does not wait, even on a descriptor in
// blocking mode. -EOPNOTSUPP means that this kind of file can't (pipes can since Linux 6.4), -ENOSYS that there is no
// preadv2.
func ReadNow(fd int32, p []byte) int32 { return now(unix.SYS_PREADV2, fd, p) }

// WriteNow is pwritev2(2) at the file's position with RWF_NOWAIT, see ReadNow.
func WriteNow(fd int32, p []byte) int32 { return now(unix.SYS_PWRITEV2, fd, p) }

func now(call uintptr, fd int32, p []byte) int32 {
	iov := Iovec{Base: (*byte)(base(p)), Len: clampLen(p)}
	const position = ^uintptr(0) // both halves of -1, wherever the ABI wants them
	for {
		if res := result(syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, position, position,
			unix.RWF_NOWAIT)); res != eintr {
			return res
		}
	}
}

// StatusFlags is fcntl(2) F_GETFL: the flags of the open file.
func StatusFlags(fd int32) int32 {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0, 0, 0, 0))
}

// IsDirect reports whether fd bypasses the page cache (O_DIRECT).
func IsDirect(fd int32) bool {
	flags := StatusFlags(fd)
	return flags >= 0 && flags&unix.O_DIRECT != 0
}

// Blocks reports whether calls on fd may wait, because it is not in non-blocking mode.
func Blocks(fd int32) bool {
	flags := StatusFlags(fd)
	return flags >= 0 && flags&unix.O_NONBLOCK == 0
}
