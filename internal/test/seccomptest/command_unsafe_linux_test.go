//go:build linux

package seccomptest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arguments that make the test binary one of these programs.
const (
	tryAll   = "seccomptest-try"       // try the calls and print their results
	tryChild = "seccomptest-try-child" // the same, in a child process
	show     = "seccomptest-show"      // print arguments and a variable, copy stdin, exit 7
)

func init() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case tryAll:
		// A thread of its own: the filter must be on all of them.
		done := make(chan string)
		go func() {
			runtime.LockOSThread()
			done <- try()
		}()
		fmt.Println(<-done)
		os.Exit(0)
	case tryChild:
		out, err := exec.Command(os.Args[0], tryAll).Output()
		fmt.Print(string(out))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case show:
		in := make([]byte, 100)
		n, _ := os.Stdin.Read(in)
		fmt.Printf("%q %s %s\n", os.Args, os.Getenv("SECCOMPTEST_SHOWN"), in[:n])
		os.Exit(7)
	}
}

// try makes each call and returns what came of it. Without a ring enter and
// register fail too, but with another errno than a policy's.
func try() string {
	var params [120]byte
	fd, _, setup := syscall.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if setup == 0 {
		syscall.Close(int(fd))
	}
	none := ^uintptr(0)
	_, _, enter := syscall.Syscall6(unix.SYS_IO_URING_ENTER, none, 0, 0, 0, 0, 0)
	_, _, register := syscall.Syscall6(unix.SYS_IO_URING_REGISTER, none, 0, 0, 0, 0, 0)
	_, _, uname := syscall.Syscall(unix.SYS_UNAME, uintptr(unsafe.Pointer(new(unix.Utsname))), 0, 0)
	return result(setup, enter, register, uname)
}

func result(setup, enter, register, uname syscall.Errno) string {
	return fmt.Sprintf("setup=%d enter=%d register=%d uname=%d", setup, enter, register, uname)
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

func TestPolicies(t *testing.T) {
	// What the calls give without a filter depends on where the test runs.
	var setup, enter, register syscall.Errno
	plain := try()
	if _, err := fmt.Sscanf(plain, "setup=%d enter=%d register=%d uname=0", &setup, &enter, &register); err != nil {
		t.Fatalf("%q: %v", plain, err)
	}
	t.Logf("without a filter: %s", plain)
	for _, c := range []struct {
		name   string
		policy Policy
		want   string
	}{
		{"DenyUring", DenyUring(), result(syscall.EPERM, syscall.EPERM, syscall.EPERM, 0)},
		{"DenyUringENOSYS", DenyUringENOSYS(), result(syscall.ENOSYS, syscall.ENOSYS, syscall.ENOSYS, 0)},
		{"DenyEnter", DenyEnter(), result(setup, syscall.EPERM, register, 0)},
		{"DenyRegister", DenyRegister(), result(setup, enter, syscall.EPERM, 0)},
		{"own rules", Deny(Rule{unix.SYS_UNAME, syscall.EXFULL}, Rule{unix.SYS_IO_URING_ENTER, syscall.EBUSY}),
			result(setup, syscall.EBUSY, register, syscall.EXFULL)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, program := range []string{tryAll, tryChild} {
				if got := output(t, Command(t, c.policy, self(t), program)); got != c.want {
					t.Errorf("%s: %s, want %s", program, got, c.want)
				}
			}
			if got := try(); got != plain {
				t.Errorf("the test itself is under the filter: %s", got)
			}
		})
	}
}

// The program must see its own arguments, environment, stdin and exit code, and
// nothing of how it was started.
func TestCommandIsTransparent(t *testing.T) {
	cmd := Command(t, DenyUring(), self(t), show, "a b", "", marker)
	cmd.Env = []string{"SECCOMPTEST_SHOWN=shown"}
	cmd.Stdin = strings.NewReader("input")
	out, err := cmd.Output()
	want := fmt.Sprintf("%q shown input\n", []string{self(t), show, "a b", "", marker})
	if string(out) != want || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("got %q, %v, want %q and exit status 7", out, err, want)
	}
}

func TestCommandThatCannotRun(t *testing.T) {
	notAProgram := t.TempDir() + "/text"
	if err := os.WriteFile(notAProgram, []byte("text"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := Command(t, DenyUring(), notAProgram)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != shimFailed ||
		!strings.Contains(string(out), "seccomptest: exec "+notAProgram) {
		t.Errorf("got %v and %q, want exit status %d and the step", err, out, shimFailed)
	}
}
