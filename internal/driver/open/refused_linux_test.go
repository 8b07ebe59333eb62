//go:build linux

package open

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/mask"
	"ringo/internal/test/seccomptest"
)

// Under each policy: what auto takes and why, and what is said to who asks for
// the ring, or for neither.
func TestRefused(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s masks already", m)
	}
	need(t, Uring)
	deny := func(call uint32, errno syscall.Errno) seccomptest.Policy {
		return seccomptest.Deny(seccomptest.Rule{Number: call, Errno: errno})
	}
	const refused = "SetupError of "
	for _, c := range []struct {
		name               string
		policy             seccomptest.Policy
		auto, uring, epoll []string // how it begins, and what it must also say
	}{
		{"nothing", deny(unix.SYS_UNAME+1000, syscall.EPERM), // a call that there isn't
			[]string{"uring: io_uring works here"}, []string{"uring: asked for"}, []string{"epoll: asked for"}},
		{"io_uring", seccomptest.DenyUring(),
			[]string{"epoll: ", "io_uring_setup", "not permitted", "seccomp"},
			[]string{refused + "uring", "io_uring_setup", "not permitted", "seccomp"}, []string{"epoll: asked for"}},
		{"io_uring, as if not built in", seccomptest.DenyUringENOSYS(),
			[]string{"epoll: ", "io_uring_setup", "not implemented"}, []string{refused + "uring", "io_uring_setup"},
			[]string{"epoll: asked for"}},
		{"io_uring_enter", seccomptest.DenyEnter(),
			[]string{"epoll: ", "io_uring_enter", "seccomp"}, []string{refused + "uring", "io_uring_enter"},
			[]string{"epoll: asked for"}},
		{"io_uring_register", seccomptest.DenyRegister(),
			[]string{"epoll: ", "io_uring_register"}, []string{refused + "uring", "io_uring_register"},
			[]string{"epoll: asked for"}},
		{"descriptors for rings", deny(unix.SYS_IO_URING_SETUP, syscall.EMFILE),
			[]string{refused + "uring", "too many open files"}, []string{refused + "uring", "too many open files"},
			[]string{"epoll: asked for"}},
		{"descriptors of the system for rings", deny(unix.SYS_IO_URING_SETUP, syscall.ENFILE),
			[]string{refused + "uring", "too many open files in system"},
			[]string{refused + "uring", "too many open files in system"}, []string{"epoll: asked for"}},
		{"epoll", deny(unix.SYS_EPOLL_CREATE1, syscall.EPERM),
			[]string{"uring: "}, []string{"uring: asked for"}, []string{refused + "epoll", "epoll_create1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, want := range map[string][]string{Auto: c.auto, Uring: c.uring, Epoll: c.epoll} {
				wantSaid(t, c.policy, name, want)
			}
		})
	}
}

// need skips a test for which this driver can't be had. That is said here and not
// inside of with, whose goroutine is not the test's.
func need(t *testing.T, name string) {
	t.Helper()
	var refused error
	with(name, func(_ driver.Driver, err error) { refused = err })
	if refused != nil {
		t.Skip("refused here anyway: ", refused)
	}
}

// wantSaid checks what a child says that opens a driver under a policy: how it
// begins, and what is also in it.
func wantSaid(t *testing.T, policy seccomptest.Policy, name string, want []string) {
	t.Helper()
	cmd := seccomptest.Command(t, policy, self(t))
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
		return
	}
	got := string(out)
	if !strings.HasPrefix(got, want[0]) {
		t.Errorf("%s: %swant it to begin with %q", name, got, want[0])
	}
	for _, word := range want[1:] {
		if !strings.Contains(got, word) {
			t.Errorf("%s: %swant %q in it", name, got, word)
		}
	}
	if lines := strings.Count(got, "\n"); lines != 1 {
		t.Errorf("%s: %d lines, want 1:\n%s", name, lines, got)
	}
}

// A ring to poll with asks less of the kernel than one to do all with.
func TestRingWithoutRegister(t *testing.T) {
	need(t, UringPoll)
	wantSaid(t, seccomptest.DenyRegister(), UringPoll, []string{"uring-poll: asked for"})
	wantSaid(t, seccomptest.DenyEnter(), UringPoll,
		[]string{"SetupError of uring-poll at io_uring_enter", "not permitted", "seccomp"})
}
