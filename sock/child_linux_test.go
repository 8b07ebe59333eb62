//go:build linux

package sock_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// child is this binary as a program of its own, which answers lines.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild runs one of children. It ends with the test at the latest.
func startChild(t *testing.T, name string, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(self)}
	c.cmd.Env = append(append(os.Environ(), childEnv+"="+name), env...)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c
}

// line reads what the child says next.
func (c *child) line() (text string) {
	c.t.Helper()
	within(patience, c.t.Name()+": the child's next line", func() {
		var err error
		if text, err = c.out.ReadString('\n'); err != nil {
			c.t.Fatalf("the child said %q, %v", text, err)
		}
	})
	return strings.TrimSpace(text)
}

// ask sends a line and gives the answer.
func (c *child) ask(question string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, question); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// end has the child end, which must be orderly.
func (c *child) end() {
	c.in.Close()
	defer time.AfterFunc(patience/2, func() { c.cmd.Process.Kill() }).Stop()
	within(patience, c.t.Name()+": the child's end", func() {
		if err := c.cmd.Wait(); err != nil && !c.t.Failed() {
			c.t.Errorf("the child ended with %v", err)
		}
	})
}

func init() {
	children["echo"] = echoChild
	children["hold"] = holdChild
}

// echoChild is a server that says its address, and then, whenever it is asked, its
// counters: back-offs, turns, and microseconds of processor time. It ends when
// nobody can ask any more.
func echoChild() int {
	if n, err := strconv.ParseUint(os.Getenv("RINGO_SOCK_FILES"), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cfg := &ringo.Config{Driver: os.Getenv("RINGO_SOCK_DRIVER"), Loops: 1, Grace: time.Second}
	err = ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		fmt.Println(set.Addr())
		go func() {
			defer stop()
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				s := l.Stats()
				var u syscall.Rusage
				syscall.Getrusage(syscall.RUSAGE_SELF, &u)
				fmt.Println(s.Backoffs, s.Turns, (u.Utime.Nano()+u.Stime.Nano())/1000)
			}
		}()
		return perConn(func(c *sock.Conn) { io.Copy(c, c) })(l, ln)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// holdChild serves an address until its input ends.
func holdChild() int {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(set.Addr())
	io.Copy(io.Discard, os.Stdin)
	return 0
}
