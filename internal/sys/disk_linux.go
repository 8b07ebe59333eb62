//go:build linux

package sys

import "golang.org/x/sys/unix"

// CloseFile is close(2) of a file, which may wait for its disk; the scheduler is told.
// The number is free also after an error. Linux has closed it when it says EINTR.
func CloseFile(fd int32) int32 {
	err := unix.Close(int(fd))
	if err == unix.EINTR {
		return 0
	}
	return -int32(errnoOf(err))
}
