//go:build linux

package testmain

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

func init() {
	leaksMade["descriptor"] = leak{func(t *testing.T) {
		if _, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
	}, "-> /dev/null"}
	leaksMade["descriptor with a number used before"] = leak{func(t *testing.T) {
		zero, err := os.Open("/dev/zero")
		if err != nil {
			t.Fatal(err)
		}
		defer zero.Close()
		if err := syscall.Dup3(int(zero.Fd()), 0, 0); err != nil {
			t.Fatal(err)
		}
	}, "0 -> /dev/zero"}
	if fd, errno := openRing(); errno == 0 {
		syscall.Close(fd)
		leaksMade["ring mapping"] = leak{leaveMapping, "anon_inode:[io_uring]"}
	}
}

func TestRingMappingIsTried(t *testing.T) {
	if _, ok := leaksMade["ring mapping"]; !ok {
		_, errno := openRing()
		t.Skipf("io_uring_setup: %v; a leaked mapping can't be made here", errno)
	}
}

// openRing makes the smallest ring there is.
func openRing() (fd int, errno syscall.Errno) {
	const sysIoUringSetup = 425 // the same on every architecture
	var params [120]byte
	n, _, errno := syscall.Syscall(sysIoUringSetup, 1, uintptr(unsafe.Pointer(&params)), 0)
	return int(n), errno
}

// leaveMapping maps a ring and closes its descriptor only.
func leaveMapping(t *testing.T) {
	fd, errno := openRing()
	if errno != 0 {
		t.Fatal(errno)
	}
	if _, err := syscall.Mmap(fd, 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Close(fd); err != nil {
		t.Fatal(err)
	}
}
