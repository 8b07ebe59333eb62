//go:build linux

package seccomptest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// marker is the first argument of a test binary that is to become another program. It is an argument and not an
// environment variable, so that the test may set Cmd.Env as it likes and the program does not see it.
const marker = "ringo-seccomptest-exec"

// shimFailed is the exit code of a process that could not become the program.
const shimFailed = 125

// Command returns a command that runs argv under the policy, and that is killed when the test ends. argv[0] is looked
// up as in exec.Command; the path of os.Executable runs the test binary itself. The caller may change everything in the
// Cmd except Path and Args.
//
// Command skips the test if this kernel or architecture does not support the filter. If the filter can't be installed
// all the same, the command reports that on stderr and exits with 125.
func Command(t testing.TB, p Policy, argv ...string) *exec.Cmd {
	t.Helper()
	if len(argv) == 0 || len(p.rules) == 0 {
		t.Fatalf("seccomptest: Command with %d arguments and %d rules", len(argv), len(p.rules))
	}
	if auditArch[runtime.GOARCH] == 0 {
		t.Skipf("seccomptest: no filter for %s", runtime.GOARCH)
	}
	if err := unavailable(); err != nil {
		t.Skipf("seccomptest: no filters here: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{marker, p.encode(), program}, argv...)
	return exec.CommandContext(t.Context(), self, args...)
}

// init takes over in a process that Command started. The arguments are the marker, the policy, the program, and the
// program's arguments, beginning with its name.
func init() {
	if len(os.Args) < 5 || os.Args[1] != marker {
		return
	}
	err := become(os.Args[2], os.Args[3], os.Args[4:])
	fmt.Fprintln(os.Stderr, "seccomptest:", err)
	os.Exit(shimFailed)
}

// become turns this process into the program; it returns only with an error.
func become(policy, program string, argv []string) error {
	rules, err := decode(policy)
	if err != nil {
		return fmt.Errorf("policy %q: %w", policy, err)
	}
	arch := auditArch[runtime.GOARCH]
	if arch == 0 {
		return errors.New("no filter for " + runtime.GOARCH)
	}
	if err := install(assemble(arch, rules)); err != nil {
		return err
	}
	return &os.PathError{Op: "exec", Path: program, Err: syscall.Exec(program, argv, os.Environ())}
}
