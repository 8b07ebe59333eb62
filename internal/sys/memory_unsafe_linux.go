//go:build linux && !portable

package sys

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadMemory copies memory of this process from an address that may be invalid. It returns false if not all of it
// could be read. The race detector does not see these reads.
func ReadMemory(into []byte, from uintptr) bool {
	local := unix.Iovec{Base: unsafe.SliceData(into)}
	local.SetLen(len(into))
	remote := unix.RemoteIovec{Base: from, Len: len(into)}
	n, _, errno := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1,
		uintptr(unsafe.Pointer(&remote)), 1, 0)
	return errno == 0 && int(n) == len(into)
}

// readSmall reads a file of /proc by one read, without allocating. name ends with a NUL. It returns the number of
// bytes, negative if it failed.
func readSmall(name, into []byte) int {
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, ^uintptr(-unix.AT_FDCWD-1), uintptr(unsafe.Pointer(&name[0])),
		unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return -1
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)))
	unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}

var pid = os.Getpid()
