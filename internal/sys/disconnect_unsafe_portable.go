//go:build linux && portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect ends a socket's connection.
func disconnect(fd int) error {
	var none unix.RawSockaddrAny
	_, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), 16)
	if errno != 0 {
		return errno
	}
	return nil
}
