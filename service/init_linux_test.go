//go:build linux

package service_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
	"ringo/service"
)

// asProcess1 is one of children as process 1 of a namespace of its own.
func asProcess1(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	return cmd
}

// needsNamespaces skips where there are none.
func needsNamespaces(t *testing.T) {
	t.Helper()
	if err := asProcess1(t, "nothing").Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("no namespaces of processes here: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func init() {
	children["nothing"] = func() error { return nil }
	children["ends with 7"] = func() error { os.Exit(7); return nil }
	children["orphans"] = orphans
	children["waits"] = func() error { _, err := io.ReadAll(os.Stdin); return err }
	children["program"] = func() error {
		if err := service.Init(); err != nil {
			return err
		}
		return program()
	}
	children["is killed"] = func() error {
		if err := service.Init(); err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

// orphans starts processes that outlive it, and says which they are. They end with its standard input.
func orphans() error {
	for range 3 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), childEnv+"=waits")
		cmd.Stdin = os.Stdin
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Println(cmd.Process.Pid)
	}
	return nil
}

// program is what runs below process 1. It says what it finds, and then which signals come.
func program() error {
	fmt.Printf("below process 1: %v, its end is all's: %v, LISTEN_PID is its own: %v, others': %q\n", os.Getppid() == 1,
		service.EndsContainer(), os.Getenv("LISTEN_PID") == fmt.Sprint(os.Getpid()), os.Getenv("RINGO_INIT"))
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=orphans")
	cmd.Stdin = r
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	r.Close()
	w.Close() // so the orphans end, while those below do
	if err := ownChildren(); err != nil {
		return err
	}
	for pid := range strings.FieldsSeq(string(out)) {
		var n int
		fmt.Sscan(pid, &n)
		if err := patience.Poll(nil, func() bool { return syscall.Kill(n, 0) == syscall.ESRCH }); err != nil {
			return fmt.Errorf("orphan %d is left: %w", n, err)
		}
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT, syscall.Signal(37))
	fmt.Println("the orphans are gone")
	for s := range signals {
		fmt.Println("signal:", s)
		if s == syscall.SIGTERM {
			break
		}
	}
	os.Exit(9)
	return nil
}

// ownChildren starts some that the program itself waits for, and wants each one's exit code.
func ownChildren() error {
	var all sync.WaitGroup
	wrong := make(chan error, 20)
	for range cap(wrong) {
		all.Go(func() {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), childEnv+"=ends with 7")
			if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 7 {
				wrong <- fmt.Errorf("a child of the program's ends with %v, want 7", err)
			}
		})
	}
	all.Wait()
	close(wrong)
	return <-wrong
}

// As process 1 orphans are waited for, and no child of the program's; signals reach it, and its exit code is process
// 1's.
func TestInit(t *testing.T) {
	needsNamespaces(t)
	cmd := asProcess1(t, "program", "LISTEN_PID=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	wants := func(want string) {
		t.Helper()
		if lines.Scan(); lines.Text() != want {
			t.Errorf("the program says %q, want %q", lines.Text(), want)
		}
	}
	patience.Within(t.Name(), func() {
		wants(`below process 1: true, its end is all's: true, LISTEN_PID is its own: true, others': ""`)
		wants("the orphans are gone")
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGINT, 37, syscall.SIGTERM} {
			if err := cmd.Process.Signal(s); err != nil {
				t.Error(err)
			}
			wants("signal: " + s.String())
		}
		cmd.Wait()
	})
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("process 1 ends with %d, want 9", code)
	}
	cmd = asProcess1(t, "is killed")
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 128+9 {
		t.Errorf("the program is killed, and process 1 ends with %d", code)
	}
}

// With a terminal the program gets once what a key sends.
func TestInitWithTerminal(t *testing.T) {
	needsNamespaces(t)
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer keys.Close()
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer terminal.Close()
	cmd := asProcess1(t, "program")
	cmd.Stdin = terminal
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	patience.Within(t.Name(), func() {
		lines := bufio.NewScanner(out)
		lines.Scan()
		lines.Scan()
		keys.WriteString("\x03")
		lines.Scan()
		if got := lines.Text(); got != "signal: interrupt" {
			t.Errorf("the program says %q", got)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if lines.Scan(); lines.Text() != "signal: terminated" {
			t.Errorf("behind one key the program says %q", lines.Text())
		}
		cmd.Wait()
	})
}

// Elsewhere Init does nothing, also where its variable was passed on.
func TestInitElsewhere(t *testing.T) {
	if os.Getppid() == 1 {
		t.Skip("the tests are a child of process 1")
	}
	t.Setenv("RINGO_INIT", "1")
	t.Setenv("LISTEN_PID", "1")
	err, ends := service.Init(), service.EndsContainer()
	if err != nil || ends != (os.Getpid() == 1) || os.Getenv("LISTEN_PID") != "1" {
		t.Errorf("Init: %v, all ends with this process: %v", err, ends)
	}
}
