//go:build linux

package testmain

import (
	"os"
	"os/exec"
	"strings"
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

// keepsOpen is what TestKeepsOpen finds in the environment of its own process.
const keepsOpen = "RINGO_TEST_KEEPS_OPEN"

// TestKeepsOpen is for TestDescriptorsKept.
func TestKeepsOpen(t *testing.T) {
	if os.Getenv(keepsOpen) == "" {
		t.Skip("for TestDescriptorsKept")
	}
	check := DescriptorsKept(t)
	if _, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	check(nil)
	t.Log("and it goes on")
}

func TestDescriptorsKept(t *testing.T) {
	check := DescriptorsKept(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	check(func() { // what closes late, as other threads do
		looks++
		r.Close()
		w.Close()
	})
	if looks != 1 {
		t.Errorf("paused %d times, want 1: for what was open at first", looks)
	}

	cmd := exec.Command(executable(t), "-test.run=^TestKeepsOpen$", "-test.v")
	cmd.Env = append(os.Environ(), keepsOpen+"=1", "RINGO_TEST_PATIENCE=50ms", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "left open: [") || !strings.Contains(string(out), "-> /dev/null") ||
		!strings.Contains(string(out), "and it goes on") {
		t.Errorf("%v; want a failure that names what is open\n%s", err, out)
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
