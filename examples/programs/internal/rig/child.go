package rig

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"ringo/internal/test/patience"
)

// A Role is what a test binary does in a process of its own instead of its tests. It prints one line on stdout for
// each line on stdin, and ends with stdin.
type Role func(argument string, asked *bufio.Scanner) error

const roleEnv, argumentEnv = "RINGO_TEST_ROLE", "RINGO_TEST_ARGUMENT"

// Play is for TestMain: in a child it plays the role and exits, otherwise it does nothing.
func Play(roles map[string]Role) {
	name := os.Getenv(roleEnv)
	if name == "" {
		return
	}
	if err := roles[name](os.Getenv(argumentEnv), bufio.NewScanner(os.Stdin)); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A Child is a process of this test binary in a role.
type Child struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	said bytes.Buffer
}

// StartChild starts a role. If there is a command, such as strace with its arguments, that runs the test binary.
func StartChild(t testing.TB, role, argument string, command ...string) *Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command = append(command, self)
	c := &Child{t: t, cmd: exec.Command(command[0], command[1:]...)}
	c.cmd.Env = append(os.Environ(), roleEnv+"="+role, argumentEnv+"="+argument)
	c.cmd.Stderr = &c.said
	c.cmd.WaitDelay = Patience
	c.in, err = c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	return c
}

// Line returns the next line of the child's stdout.
func (c *Child) Line() string {
	c.t.Helper()
	said, err := await(c, c.out.Scan)
	if !said {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		c.t.Fatalf("the child has ended: %v, %v\n%s", c.cmd.ProcessState, err, &c.said)
	}
	return c.out.Text()
}

// await returns the result of f, which waits for the child. If that takes too long, await kills the child.
func await[T any](c *Child, f func() T) (v T, err error) {
	came := make(chan T, 1)
	go func() { came <- f() }()
	if v, err = patience.Receive(came); err != nil {
		c.cmd.Process.Kill()
		v = <-came
	}
	return v, err
}

// Ask sends a line to the child and returns the answer.
func (c *Child) Ask(question string) string {
	c.t.Helper()
	fmt.Fprintln(c.in, question)
	return c.Line()
}

// End closes the child's stdin, and waits for its end, which must be orderly.
func (c *Child) End() {
	c.t.Helper()
	c.in.Close()
	if end, err := await(c, c.cmd.Wait); end != nil {
		c.t.Errorf("the child's end: %v, %v\n%s", end, err, &c.said)
	}
}
