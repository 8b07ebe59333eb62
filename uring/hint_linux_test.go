//go:build linux

package uring

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLook: what is known of this thread goes with the real errors.
func TestLook(t *testing.T) {
	s := look()
	if soft, _, err := memlock(); err != nil || soft != unlimited && (soft > 1<<62 || s.memlock != int64(soft)) {
		t.Errorf("RLIMIT_MEMLOCK: %d, %v, and seen %d", soft, err, s.memlock)
	}
	var setup *SetupError
	if err := setupError("io_uring_setup", syscall.EMFILE); !errors.As(err, &setup) ||
		setup.Hint != "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)" || len(setup.Advice) != 1 {
		t.Errorf("%+v", setup)
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
