package uring

import (
	"fmt"
	"strings"

	"ringo/internal/posix"
)

// systemState is what the system reveals about the permission to use io_uring.
type systemState struct {
	disabled int   // kernel.io_uring_disabled: 0 allowed, 1 for one group only, 2 forbidden
	seccomp  bool  // the thread has a seccomp filter
	memlock  int64 // RLIMIT_MEMLOCK in bytes, negative if unlimited or unknown
}

const (
	allowInFilter = "let the seccomp filter allow io_uring_setup, io_uring_enter and io_uring_register (containers: " +
		"--security-opt seccomp=PROFILE)"
	allowInModule = "let the security module (SELinux, AppArmor) allow io_uring: its audit log names the rule"
	allowAll      = "sysctl -w kernel.io_uring_disabled=0"
)

// explain returns the most likely cause of an errno from a system call of io_uring, and what to change. One function
// returns both, so that they match. Either may be empty.
func explain(step string, errno posix.Errno, s systemState) (cause string, advice []string) {
	// After a successful setup the kernel evidently has io_uring, and allows it.
	setup := strings.HasPrefix(step, "io_uring_setup")
	switch errno {
	case posix.ENOSYS:
		return explainMissing(setup, s)
	case posix.EPERM, posix.EACCES:
		return explainDenied(setup, errno, s)
	case posix.ENOMEM:
		if s.memlock < 0 {
			return "no memory for the ring", []string{"free memory, or ask for smaller rings"}
		}
		return fmt.Sprintf("RLIMIT_MEMLOCK is %d KiB: raise it (ulimit -l), or ask for fewer entries; rings just "+
				"closed count for a moment longer", s.memlock>>10),
			[]string{"raise RLIMIT_MEMLOCK (ulimit -l)"}
	case posix.EMFILE:
		return "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)", []string{"raise RLIMIT_NOFILE (ulimit -n)"}
	case posix.ENFILE:
		return "the system is out of descriptors: raise fs.file-max", []string{"raise the sysctl fs.file-max"}
	case posix.EEXIST:
		return "there already, or not the thread that made the ring", nil
	case posix.EBUSY:
		if strings.HasPrefix(step, "io_uring_enter") {
			return "the completion queue is full", nil
		}
		return "registered already", nil
	case posix.EAGAIN:
		return "the kernel lacks memory for requests", []string{"free memory"}
	case posix.ENXIO:
		return "nothing is registered", nil
	case posix.EINVAL:
		return "more than this kernel knows, or a bad argument", nil
	}
	return "", nil
}

// explainMissing explains ENOSYS, with which seccomp filters like to imitate an older kernel.
func explainMissing(setup bool, s systemState) (cause string, advice []string) {
	const kernel = "a Linux kernel that has io_uring, best 6.1 or newer; gVisor has none"
	switch {
	case !setup:
		return "a seccomp filter or another sandbox: setup worked, so the kernel has io_uring", []string{allowInFilter}
	case s.seccomp:
		return "a seccomp filter, or a kernel without io_uring", []string{allowInFilter, kernel}
	}
	return "no io_uring in this kernel: Linux before 5.1, built without it, or gVisor", []string{kernel}
}

func explainDenied(setup bool, errno posix.Errno, s systemState) (cause string, advice []string) {
	var causes []string
	if setup && errno == posix.EPERM && s.disabled != 0 { // checked at setup only
		causes = append(causes, fmt.Sprintf("kernel.io_uring_disabled is %d", s.disabled))
		if s.disabled == 1 {
			advice = append(advice, "join the group that sysctl kernel.io_uring_group names, or, "+
				"for everybody: "+allowAll)
		} else {
			advice = append(advice, allowAll)
		}
	}
	if errno == posix.EACCES { // returned by security modules, and by few filters
		if !setup {
			causes = append(causes, "the ring's own restrictions (RegisterRestrictions)")
		}
		causes = append(causes, "a security module such as SELinux")
		advice = append(advice, allowInModule)
	}
	if s.seccomp {
		causes = append(causes, "a seccomp filter, as container runtimes install one")
		advice = append(advice, allowInFilter)
	}
	if len(causes) == 0 {
		return "a security module or a missing capability", []string{allowInModule}
	}
	return strings.Join(causes, "; or "), advice
}
