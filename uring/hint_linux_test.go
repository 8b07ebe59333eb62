//go:build linux

package uring

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHint: an errno that a user may meet comes with a cause to look for.
func TestHint(t *testing.T) {
	if seccompActive() {
		t.Skip("a seccomp filter is on: the causes are others")
	}
	if v, err := disabledSysctl(); err == nil && v != 0 {
		t.Skip("kernel.io_uring_disabled is set: the causes are others")
	}
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSYS: "Linux before 5.1", syscall.EPERM: "security module", syscall.EACCES: "SELinux",
		syscall.EMFILE: "RLIMIT_NOFILE", syscall.ENFILE: "fs.file-max", syscall.EEXIST: "thread", syscall.EBUSY: "registered already",
		syscall.ENXIO: "nothing is registered", syscall.EINVAL: "bad argument", syscall.ENOMEM: "", syscall.EFAULT: "",
	} {
		if got := hint(errno); !strings.Contains(got, want) {
			t.Errorf("%v: want %q in %q", errno, want, got)
		}
	}
	if soft, _, err := memlock(); err != nil || soft != unlimited && soft > 1<<62 {
		t.Errorf("RLIMIT_MEMLOCK: %d, %v", soft, err)
	}
}

// TestDisabledSysctl reads the real one, where there is one.
func TestDisabledSysctl(t *testing.T) {
	v, err := disabledSysctl()
	if err != nil {
		if unix.Access("/proc/sys/kernel/io_uring_disabled", unix.F_OK) == nil {
			t.Fatal(err)
		}
		t.Skip("no such sysctl before Linux 6.6: ", err)
	}
	if v < 0 || v > 2 {
		t.Errorf("kernel.io_uring_disabled is %d", v)
	}
}
