//go:build linux && !portable

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Fgetxattr is fgetxattr(2); name ends with a NUL. With an empty p the result is the length of the value.
func Fgetxattr(fd int32, name, p []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FGETXATTR, uintptr(fd), uintptr(base(name)), uintptr(base(p)),
		uintptr(len(p)), 0, 0))
}

// Fsetxattr is fsetxattr(2).
func Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	return result(syscall.Syscall6(unix.SYS_FSETXATTR, uintptr(fd), uintptr(base(name)), uintptr(base(p)),
		uintptr(len(p)), uintptr(flags), 0))
}

// Flistxattr is flistxattr(2).
func Flistxattr(fd int32, p []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FLISTXATTR, uintptr(fd), uintptr(base(p)), uintptr(len(p)), 0, 0, 0))
}

// Fremovexattr is fremovexattr(2).
func Fremovexattr(fd int32, name []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FREMOVEXATTR, uintptr(fd), uintptr(base(name)), 0, 0, 0, 0))
}
