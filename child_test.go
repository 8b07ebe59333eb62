package ringo_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// childEnv says what the test binary shall be when it is not to run tests.
const childEnv = "RINGO_TEST_CHILD"

// children are programs that tests run in a process of their own, because the
// process ends with them or has to be another kind of process.
var children = map[string]func(){}

// child makes the command of such a program.
func child(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	if children[name] == nil {
		t.Fatalf("no child %q", name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = childEnvironment(name, env...)
	return cmd
}

func childEnvironment(name string, env ...string) []string {
	all := append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0")
	return append(all, env...)
}

// output runs a child and gives what it said and its exit status.
func output(t *testing.T, cmd *exec.Cmd) (text string, code int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
