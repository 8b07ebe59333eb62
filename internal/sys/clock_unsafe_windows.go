//go:build windows

package sys

import (
	"syscall"
	"unsafe"
)

var (
	procCounter   = kernel32.NewProc("QueryPerformanceCounter")
	procFrequency = kernel32.NewProc("QueryPerformanceFrequency")
)

// Monotonic returns the performance counter, by a system call.
func Monotonic() (ns int64) {
	var now, second int64
	syscall.SyscallN(procCounter.Addr(), uintptr(unsafe.Pointer(&now)))
	syscall.SyscallN(procFrequency.Addr(), uintptr(unsafe.Pointer(&second)))
	return now/second*1e9 + now%second*1e9/second
}
