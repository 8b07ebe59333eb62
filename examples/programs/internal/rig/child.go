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

// A Role is what a test binary does in a process of its own instead of its tests. It gives a line on stdout for each
// that it is asked on stdin, and ends when there are no more.
type Role func(argument string, asked *bufio.Scanner) error

const roleEnv, argumentEnv = "RINGO_TEST_ROLE", "RINGO_TEST_ARGUMENT"

// Play is for TestMain: in a child it plays the role and exits, else it does nothing.
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

// A Child is this test binary in a role.
type Child struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	said bytes.Buffer
}

// StartChild starts a role. command, if there is any, is what runs it: strace, with its arguments.
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

// Line is the next that the child says.
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

// await gives what f gives, which waits for the child. At the end of patience it kills it.
func await[T any](c *Child, f func() T) (v T, err error) {
	came := make(chan T, 1)
	go func() { came <- f() }()
	if v, err = patience.Receive(came); err != nil {
		c.cmd.Process.Kill()
		v = <-came
	}
	return v, err
}

// Ask asks something and gives the answer.
func (c *Child) Ask(question string) string {
	c.t.Helper()
	fmt.Fprintln(c.in, question)
	return c.Line()
}

// End asks no more, and waits for the child, which must end in order.
func (c *Child) End() {
	c.t.Helper()
	c.in.Close()
	if end, err := await(c, c.cmd.Wait); end != nil {
		c.t.Errorf("the child's end: %v, %v\n%s", end, err, &c.said)
	}
}
