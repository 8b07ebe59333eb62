//go:build linux

package seccomptest

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// install puts the whole process under a filter, including all threads of the Go runtime, so that it doesn't matter
// which of them calls exec. The calling goroutine stays locked to its thread.
func install(prog []unix.SockFilter) error {
	runtime.LockOSThread()
	// Without privileges the kernel accepts a filter only from a thread that can't gain any: a filter could mislead a
	// set-user-ID program.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_SET_NO_NEW_PRIVS)", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	tid, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	if tid != 0 {
		return fmt.Errorf("seccomp: thread %d can't take the filter over", tid)
	}
	return nil
}

// unavailable returns why this kernel can't run filters, or nil.
func unavailable() error {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	if _, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0,
		uintptr(unsafe.Pointer(&action))); errno != 0 {
		return os.NewSyscallError("seccomp(SECCOMP_GET_ACTION_AVAIL)", errno)
	}
	return nil
}
