package main

import (
	"strings"
	"syscall"
	"testing"

	"ringo/uring"
)

// TestAdviseRefused: each way to be kept from io_uring has a way out.
func TestAdviseRefused(t *testing.T) {
	t.Parallel()
	group, nobody, all := 1, 2, 0
	for _, c := range []struct {
		name    string
		sysctl  *int
		seccomp bool
		err     error
		want    []string // pieces of the lines of advice
	}{
		{"sysctl for a group", &group, false, syscall.EPERM, []string{"kernel.io_uring_group"}},
		{"sysctl for nobody", &nobody, false, syscall.EPERM, []string{"sysctl -w kernel.io_uring_disabled=0"}},
		{"sysctl and seccomp", &nobody, true, syscall.EPERM, []string{"sysctl -w", "seccomp"}},
		{"seccomp", &all, true, syscall.EPERM, []string{"seccomp"}},
		{"seccomp, no sysctl", nil, true, syscall.EPERM, []string{"seccomp"}},
		{"seccomp ENOSYS", &all, true, syscall.ENOSYS, []string{"seccomp"}},
		{"security module", &all, false, syscall.EACCES, []string{"SELinux"}},
		{"old kernel", nil, false, syscall.ENOSYS, []string{"6.1 or newer"}},
		{"memory", &all, true, syscall.ENOMEM, []string{"RLIMIT_MEMLOCK"}},
		{"descriptors", &all, false, syscall.EMFILE, []string{"RLIMIT_NOFILE"}},
		{"descriptors of the system", &all, false, syscall.ENFILE, []string{"fs.file-max"}},
		{"something else", &all, false, syscall.EINVAL, []string{"Linux 6.1 or newer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := adviseRefused(&uring.Report{DisabledSysctl: c.sysctl, Seccomp: c.seccomp}, &uring.SetupError{Step: "io_uring_setup", Err: c.err})
			if len(got) != len(c.want) {
				t.Fatalf("advice %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("advice %q, want %q in it", got[i], want)
				}
			}
		})
	}
}

// TestAdviseLacking: what an older kernel lacks is named, with the kernel that has it all.
func TestAdviseLacking(t *testing.T) {
	t.Parallel()
	r := &uring.Report{Usable: true}
	for _, name := range wanted {
		r.Checks = append(r.Checks, uring.Offer{Name: name, OK: true})
	}
	if since, names := lacking(r); since != "" || len(names) != 0 {
		t.Errorf("lacking %q %q of all that is wanted", since, names)
	}
	for i, o := range r.Checks {
		switch o.Name {
		case "DEFER_TASKRUN":
			r.Checks[i] = uring.Offer{Name: o.Name, Since: "6.1"}
		case uring.CheckExtArg:
			r.Checks[i] = uring.Offer{Name: o.Name, Since: "5.11"}
		}
	}
	since, names := lacking(r)
	if since != "6.1" || strings.Join(names, " ") != "DEFER_TASKRUN ext_arg" {
		t.Errorf("lacking %q %q", since, names)
	}
	if !newer("6.10", "6.9") || newer("5.19", "6.0") || newer("6.1", "6.1") {
		t.Error("versions are compared as text")
	}
}
