//go:build linux

package proc

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	if pid := os.Getenv(asTracer); pid != "" {
		trace(pid)
		return
	}
	testmain.Register("children", children)
	testmain.Main(m)
}

// asTracer in the environment has the test binary trace the process of that number, until its input ends.
const asTracer = "PROC_TEST_TRACES"

func trace(pid string) {
	runtime.LockOSThread() // it is a thread that traces
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = unix.PtraceSeize(n)
	}
	fmt.Println(err)
	io.Copy(io.Discard, os.Stdin)
}

// children is 1 if there are processes that are not reaped.
func children() int {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err == syscall.ECHILD {
		return 0
	}
	return 1
}

// command is what a Cmd does, here and in os/exec.
type command interface {
	Start() error
	Wait() error
	Run() error
	Output() ([]byte, error)
	CombinedOutput() ([]byte, error)
	StdinPipe() (io.WriteCloser, error)
	StdoutPipe() (io.ReadCloser, error)
	StderrPipe() (io.ReadCloser, error)
}

// A maker makes commands, with access to their fields. A nil ctx is none.
type maker func(ctx context.Context, name string, arg ...string) (command, *exec.Cmd)

func ours(ctx context.Context, name string, arg ...string) (command, *exec.Cmd) {
	var c *Cmd
	if ctx == nil {
		c = Command(name, arg...)
	} else {
		c = CommandContext(ctx, name, arg...)
	}
	return c, &c.Cmd
}

func theirs(ctx context.Context, name string, arg ...string) (command, *exec.Cmd) {
	var c *exec.Cmd
	if ctx == nil {
		c = exec.Command(name, arg...)
	} else {
		c = exec.CommandContext(ctx, name, arg...)
	}
	return c, c
}

// eachCaller runs f on a goroutine, where l is nil, and as a task of each driver.
func eachCaller(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	t.Run("goroutine", func(t *testing.T) { patience.Within(t.Name(), func() { f(t, nil) }) })
	eachTask(t, f)
}

// eachTask runs f as a task of each driver.
func eachTask(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) { f(t, l) })
	})
}

// eachWay is eachCaller, with pidfds and without.
func eachWay(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	t.Run("pidfd", func(t *testing.T) { eachCaller(t, f) })
	t.Run("without", func(t *testing.T) {
		old := pidFD
		pidFD = func(int) int32 { return -int32(syscall.ENOSYS) }
		defer func() { pidFD = old }()
		eachCaller(t, f)
	})
}

// begin runs f in a task beside the caller, or on a goroutine.
func begin(l *ringo.Loop, f func()) (wait func()) {
	if l != nil {
		task := l.Go(f)
		return func() { task.Wait() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}
