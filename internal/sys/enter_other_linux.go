//go:build linux && !amd64

package sys

import (
	"syscall"

	"ringo/internal/abi"
)

// UringEnterNow is io_uring_enter(2) for calls that do not wait. It does not inform the scheduler; a call that waits
// after all would hold up every garbage collection.
func UringEnterNow(fd int, submit, flags uint32) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(abi.SYS_io_uring_enter, uintptr(fd), uintptr(submit), 0, uintptr(flags), 0, 0)
	return errno
}
