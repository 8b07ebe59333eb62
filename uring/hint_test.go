package uring

import (
	"strings"
	"testing"

	"ringo/internal/posix"
)

// TestExplain: each way to be kept from io_uring has a cause and a way out, and both speak of the same thing.
func TestExplain(t *testing.T) {
	nothing := systemState{memlock: -1}
	filtered := systemState{memlock: -1, seccomp: true}
	const filter, module, kernel = "seccomp filter", "security module", "kernel"
	for _, c := range []struct {
		name  string
		step  string
		errno posix.Errno
		s     systemState
		cause string
		words []string // one for each line of advice; the cause has those that are of three
	}{
		{"for a group", "io_uring_setup(8 entries)", posix.EPERM, systemState{disabled: 1}, "io_uring_disabled is 1",
			[]string{"kernel.io_uring_group"}},
		{"for nobody", "io_uring_setup", posix.EPERM, systemState{disabled: 2}, "io_uring_disabled is 2",
			[]string{"sysctl -w kernel.io_uring_disabled=0"}},
		{"for nobody, and a filter", "io_uring_setup", posix.EPERM, systemState{disabled: 2, seccomp: true},
			"is 2; or", []string{"sysctl -w", filter}},
		{"for nobody, but a ring is there", "io_uring_enter", posix.EPERM, systemState{disabled: 2, seccomp: true},
			"a seccomp", []string{filter}},
		{"filter", "io_uring_setup", posix.EPERM, filtered, "a seccomp", []string{filter}},
		{"filter of enter", "io_uring_enter", posix.EPERM, filtered, "a seccomp", []string{filter}},
		{"no filter", "io_uring_setup", posix.EPERM, nothing, "capability", []string{module}},
		{"module", "io_uring_setup", posix.EACCES, nothing, "SELinux", []string{module}},
		{"module or filter", "io_uring_setup", posix.EACCES, filtered, "SELinux; or", []string{module, filter}},
		{"restrictions or module", "io_uring_unregister", posix.EACCES, nothing, "the ring's own restrictions (Regi",
			[]string{module}},
		{"old kernel", "io_uring_setup", posix.ENOSYS, nothing, "Linux before 5.1", []string{kernel}},
		{"old kernel or filter", "io_uring_setup", posix.ENOSYS, filtered, "a seccomp", []string{filter, kernel}},
		{"enter missing", "io_uring_enter", posix.ENOSYS, filtered, "setup worked", []string{filter}},
		{"register missing, no filter to be seen", "io_uring_register", posix.ENOSYS, nothing,
			"setup worked", []string{filter}},
		{"locked memory", "io_uring_setup", posix.ENOMEM, systemState{memlock: 64 << 10}, "RLIMIT_MEMLOCK is 64 KiB",
			[]string{"RLIMIT_MEMLOCK"}},
		{"memory", "io_uring_setup", posix.ENOMEM, nothing, "no memory", []string{"free memory"}},
		{"descriptors", "io_uring_setup", posix.EMFILE, nothing, "RLIMIT_NOFILE", []string{"RLIMIT_NOFILE"}},
		{"descriptors of the system", "io_uring_setup", posix.ENFILE, nothing, "fs.file-max",
			[]string{"fs.file-max"}},
		{"another thread", "io_uring_enter", posix.EEXIST, nothing, "thread", nil},
		{"twice", "io_uring_register", posix.EBUSY, nothing, "registered already", nil},
		{"full", "io_uring_enter", posix.EBUSY, nothing, "queue is full", nil},
		{"memory for requests", "io_uring_enter", posix.EAGAIN, nothing, "memory for requests",
			[]string{"free memory"}},
		{"never", "io_uring_register", posix.ENXIO, nothing, "nothing is registered", nil},
		{"bad argument", "io_uring_setup", posix.EINVAL, filtered, "bad argument", nil},
		{"something else", "io_uring_setup", posix.EFAULT, filtered, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cause, advice := explain(c.step, c.errno, c.s)
			if !strings.Contains(cause, c.cause) || c.cause == "" && cause != "" {
				t.Errorf("cause %q, want %q", cause, c.cause)
			}
			if len(advice) != len(c.words) {
				t.Fatalf("advice %q, want %d lines", advice, len(c.words))
			}
			for i, word := range c.words {
				if !strings.Contains(advice[i], word) {
					t.Errorf("advice %q, want %q in it", advice[i], word)
				}
			}
			text := strings.Join(advice, " ")
			for _, subject := range []string{filter, module} {
				if strings.Contains(cause, subject) != strings.Contains(text, subject) {
					t.Errorf("only one of cause and advice speaks of a %s: %q, %q", subject, cause, advice)
				}
			}
		})
	}
}
