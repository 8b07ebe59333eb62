//go:build linux && !portable && amd64

package sys

import "syscall"

// UringEnterNow is io_uring_enter(2) for calls that do not wait. The scheduler is not told, which saves some 70 ns; a
// call that waits after all would hold up every garbage collection. It is small enough to be inlined, and enters the
// kernel itself, which saves the 6 ns of syscall.RawSyscall6's general code (BenchmarkEnter).
func UringEnterNow(fd int, submit, flags uint32) syscall.Errno {
	if result := enterNow(fd, submit, flags); result < 0 {
		return syscall.Errno(-result)
	}
	return 0
}

// enterNow returns the kernel's result: how many entries it has consumed, or -errno.
func enterNow(fd int, submit, flags uint32) (result int)
