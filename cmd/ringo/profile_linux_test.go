//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/seccomptest"
)

// profile is what docs/seccomp.json has, in the words of the OCI's runtime specification.
type profile struct {
	DefaultAction   string
	DefaultErrnoRet int
	Architectures   []string
	Syscalls        []struct {
		Names    []string
		Action   string
		ErrnoRet int
		Args     []struct {
			Index, Value, ValueTwo uint64
			Op                     string
		}
	}
}

func readProfile(t *testing.T) (p profile) {
	t.Helper()
	f, err := os.Open("../../docs/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// policy is the profile for this process's architecture. Calls that it allows with some arguments are allowed with all.
// Without are the names that are to be refused beside.
func (p *profile) policy(t *testing.T, without ...string) seccomptest.Policy {
	t.Helper()
	allowed, errnos := map[string]bool{}, map[string]int{}
	for _, s := range p.Syscalls {
		for _, name := range s.Names {
			switch s.Action {
			case "SCMP_ACT_ALLOW":
				allowed[name] = !slices.Contains(without, name)
			case "SCMP_ACT_ERRNO":
				errnos[name] = s.ErrnoRet
			default:
				t.Fatalf("%s has the action %s", name, s.Action)
			}
		}
	}
	var rules []seccomptest.Rule
	for name, number := range syscallNumbers(t, runtime.GOARCH) {
		errno, ok := errnos[name]
		if !ok {
			errno = p.DefaultErrnoRet
		}
		if !allowed[name] {
			rules = append(rules, seccomptest.Rule{Number: number, Errno: syscall.Errno(errno)})
		}
	}
	return seccomptest.Deny(rules...)
}

// syscallNumbers are the system calls of an architecture, as golang.org/x/sys has them.
func syscallNumbers(t *testing.T, arch string) map[string]uint32 {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
	if err != nil {
		t.Skip(err)
	}
	numbers := map[string]uint32{}
	for _, m := range regexp.MustCompile(`(?m)^\s*SYS_(\w+)\s*=\s*(\d+)`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		numbers[strings.ToLower(m[1])] = uint32(n)
	}
	if len(numbers) < 250 {
		t.Fatalf("%s has %d system calls", arch, len(numbers))
	}
	return numbers
}

// TestProfileNamesCalls: what docs/seccomp.json names is there, once, and what Ringo needs is named.
func TestProfileNamesCalls(t *testing.T) {
	p := readProfile(t)
	if p.DefaultAction != "SCMP_ACT_ERRNO" || p.DefaultErrnoRet != int(syscall.EPERM) {
		t.Errorf("by default: %s, %d", p.DefaultAction, p.DefaultErrnoRet)
	}
	amd64, arm64 := syscallNumbers(t, "amd64"), syscallNumbers(t, "arm64")
	seen := map[string]bool{}
	for _, s := range p.Syscalls {
		for _, name := range s.Names {
			if _, ok := amd64[name]; !ok {
				if _, ok = arm64[name]; !ok {
					t.Errorf("there is no system call %q", name)
				}
			}
			if seen[name] && len(s.Args) == 0 {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{"io_uring_setup", "io_uring_enter", "io_uring_register", "epoll_pwait", "eventfd2",
		"io_submit", "copy_file_range", "statx", "openat2", "faccessat2", "sched_setaffinity", "mincore"} {
		if !seen[name] {
			t.Errorf("%s is not there", name)
		}
	}
	for _, name := range []string{"mount", "bpf", "setns", "unshare", "keyctl", "kexec_load", "init_module", "reboot"} {
		if seen[name] {
			t.Errorf("%s is there", name)
		}
	}
}

// TestProfileServes: behind docs/seccomp.json echo serves on io_uring, the best way that there is here, and without the
// three calls on epoll.
func TestProfileServes(t *testing.T) {
	t.Parallel()
	needUring(t)
	p := readProfile(t)
	free, _, _ := runTool(t, tool(t, "probe"))
	behind, stderr, code := runTool(t, denied(t, p.policy(t), "probe"))
	seccomp := regexp.MustCompile(`(?m)^seccomp .*\n`) // that there is a filter
	free, behind = seccomp.ReplaceAllString(free, ""), seccomp.ReplaceAllString(behind, "")
	if free != behind || code != 0 {
		t.Errorf("probe says behind the profile, with code %d:\n%s%s\nand else\n%s", code, stderr, behind, free)
	}
	for driver, policy := range map[string]seccomptest.Policy{
		"uring": p.policy(t),
		"epoll": p.policy(t, "io_uring_setup", "io_uring_enter", "io_uring_register"),
	} {
		c := start(t, denied(t, policy, "echo", "-listen", anyPort))
		addr := c.addr()
		if line := c.line("listening"); !strings.Contains(line, " driver="+driver+" ") {
			t.Errorf("%q, want driver=%s", line, driver)
		}
		exchangeAll(t, addr, 1, 64, 100_000)
		c.finish()
	}
}
