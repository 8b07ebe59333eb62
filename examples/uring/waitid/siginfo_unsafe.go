//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

const exited = 1 // CLD_EXITED; other codes are signals

// prepWait waits for a child's end, and reaps it.
func prepWait(e *uring.SQE, pid int, info *unix.Siginfo) {
	e.PrepWaitid(unix.P_PID, pid, unsafe.Pointer(info), unix.WEXITED)
}

// status is si_status: the exit code, or the signal. It lies in a union behind three words, aligned as a pointer, and
// there behind the child's process and user id.
func status(info *unix.Siginfo) int32 {
	const word = unsafe.Sizeof(uintptr(0))
	const union = (3*4 + word - 1) / word * word
	return *(*int32)(unsafe.Add(unsafe.Pointer(info), union+8))
}
