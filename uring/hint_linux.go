//go:build linux

package uring

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hint says what most often makes a system call of io_uring fail with this errno, after a look at the limits that
// the system admits to.
func hint(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOSYS:
		if seccompActive() {
			return "a seccomp filter, or a kernel without io_uring"
		}
		return "no io_uring in this kernel: Linux before 5.1, built without it, or gVisor"
	case syscall.EPERM:
		if v, err := disabledSysctl(); err == nil && v != 0 {
			return fmt.Sprintf("kernel.io_uring_disabled is %d", v)
		}
		if seccompActive() {
			return "a seccomp filter, as container runtimes install one"
		}
		return "a security module or a missing capability"
	case syscall.EACCES:
		return "a security module such as SELinux"
	case syscall.ENOMEM:
		soft, _, err := memlock()
		if err != nil || soft == unlimited {
			return "no memory for the ring"
		}
		return fmt.Sprintf("RLIMIT_MEMLOCK is %d KiB; rings just closed count for a moment longer", soft>>10)
	case syscall.EMFILE:
		return "RLIMIT_NOFILE"
	case syscall.ENFILE:
		return "fs.file-max"
	case syscall.EEXIST:
		return "there already, or not the thread that made the ring"
	case syscall.EBUSY:
		return "registered already"
	case syscall.ENXIO:
		return "nothing is registered"
	case syscall.EINVAL:
		return "more than this kernel knows, or a bad argument"
	}
	return ""
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

// disabledSysctl reads kernel.io_uring_disabled (Linux 6.6): 0 allowed, 1 for a group only, 2 for nobody.
func disabledSysctl() (int, error) {
	text, err := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// seccompActive says whether a seccomp filter is on this thread.
func seccompActive() bool {
	status, err := os.ReadFile("/proc/thread-self/status")
	return err == nil && bytes.Contains(status, []byte("\nSeccomp:\t2"))
}
