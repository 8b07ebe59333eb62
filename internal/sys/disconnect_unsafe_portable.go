//go:build linux && portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect dissolves a socket's connection, by a connect to an address of family 0, AF_UNSPEC: see connect(2).
func disconnect(fd int) error {
	var none unix.RawSockaddrAny
	_, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), 16)
	if errno != 0 {
		return errno
	}
	return nil
}
