//go:build dragonfly

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// readlink is readlinkat(2), which golang.org/x/sys lacks here.
func readlink(dir int, name string, p []byte) (int, error) {
	from, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(from)),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
