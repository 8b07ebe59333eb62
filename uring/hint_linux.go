//go:build linux

package uring

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// look reads the state of the system and the calling thread. What it can't read counts as absent.
func look() (s systemState) {
	s.disabled, _ = disabledSysctl()
	s.seccomp = seccompActive()
	s.memlock = -1
	if soft, _, err := memlock(); err == nil && soft != unlimited {
		s.memlock = int64(soft)
	}
	return s
}

const unlimited = unix.RLIM_INFINITY

// memlock returns RLIMIT_MEMLOCK in bytes.
func memlock() (soft, hard uint64, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
		return 0, 0, err
	}
	return r.Cur, r.Max, nil
}

// disabledSysctl reads kernel.io_uring_disabled (Linux 6.6): 0 allowed, 1 for one group only, 2 forbidden.
func disabledSysctl() (int, error) {
	text, err := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// seccompActive reports whether this thread has a seccomp filter. Without /proc it asks by prctl(2); if that fails
// other than with EINVAL, a filter has forbidden it.
func seccompActive() bool {
	if status, err := os.ReadFile("/proc/thread-self/status"); err == nil {
		return bytes.Contains(status, []byte("\nSeccomp:\t2"))
	}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER || err != nil && err != unix.EINVAL
}
