//go:build linux

package kerneltest

import (
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/kernel"
)

// Host returns the kernel that the process runs on.
func Host(t *testing.T) World {
	return World{Kernel: kernel.Host{}, Do: driver.Call, Dir: t.TempDir(), Inherited: func(fd int32) bool {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err == nil && flags&unix.FD_CLOEXEC == 0
	}}
}
