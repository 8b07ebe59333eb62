//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

const exited = 1 // CLD_EXITED; other codes are signals

// prepWait prepares a wait for a child's end, which also reaps the child.
func prepWait(e *uring.SQE, pid int, info *unix.Siginfo) {
	e.PrepWaitid(unix.P_PID, pid, unsafe.Pointer(info), unix.WEXITED)
}

// status returns si_status: the exit code, or the signal. It is in a union, which comes after three words and is
// aligned like a pointer; in the union it comes after the child's process id and user id.
func status(info *unix.Siginfo) int32 {
	const word = unsafe.Sizeof(uintptr(0))
	const union = (3*4 + word - 1) / word * word
	return *(*int32)(unsafe.Add(unsafe.Pointer(info), union+8))
}
