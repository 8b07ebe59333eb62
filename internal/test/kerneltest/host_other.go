//go:build !linux

package kerneltest

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// Host returns the kernel that the process runs on.
func Host(t *testing.T) World {
	return World{Kernel: kernel.Host{}, Do: driver.Call, Dir: t.TempDir(),
		Inherited: func(fd int32) bool { return sys.Fcntl(fd, sys.FGetfd, 0)&sys.FDCloexec == 0 }}
}
