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

// marker is the first argument of a test binary that shall become another
// program. It is an argument and not a variable of the environment, so that the
// test may set Cmd.Env as it likes and the program sees nothing of it.
const marker = "ringo-seccomptest-exec"

// shimFailed is the exit code of a process that couldn't become the program.
const shimFailed = 125

// Command returns a command that runs argv under the policy, killed when the test
// ends. argv[0] is looked up as in exec.Command; os.Executable's path runs the test
// binary itself. The caller may change all of the Cmd but Path and Args.
//
// It skips the test if this kernel or this architecture can't have the filter.
// Where the filter can't be installed after all, the command says so on stderr
// and exits with 125.
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

// init takes over in a process that Command started. Its arguments are the
// marker, the policy, the program and the program's arguments from 0 on.
func init() {
	if len(os.Args) < 5 || os.Args[1] != marker {
		return
	}
	err := become(os.Args[2], os.Args[3], os.Args[4:])
	fmt.Fprintln(os.Stderr, "seccomptest:", err)
	os.Exit(shimFailed)
}

// become returns only with an error.
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
