package ringo_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/testmain"
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
	return testmain.Uncrowded(string(out)), cmd.ProcessState.ExitCode()
}

// saysUntil runs a child that ends when a line comes in, sends it one when until reports of a line on its stderr that
// this was enough, and gives all that it said there.
func saysUntil(t *testing.T, cmd *exec.Cmd, until func(line string) bool) string {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	text, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alarm := time.AfterFunc(limit, func() { io.WriteString(in, "go on\n") })
	defer alarm.Stop()
	var said strings.Builder
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if until(lines.Text()) {
			io.WriteString(in, "go on\n")
		}
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	return said.String()
}
