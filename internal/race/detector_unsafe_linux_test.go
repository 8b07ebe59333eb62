//go:build race && linux

package race_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"ringo/internal/race"
)

// childEnv names the program that a child process runs instead of the tests.
const childEnv = "RINGO_TEST_RACE_PROGRAM"

// raceExit is the exit code that the detector is told to use.
const raceExit = 66

// programs are small programs with plain shared variables. The detector must
// accept those that the kernel's traffic orders and that say so, and must report
// the others: if it didn't, the clean ones would prove nothing.
var programs = map[string]struct {
	run      func() error
	wantRace bool
}{
	"echo with edges":                 {func() error { return echo(netPeer, true) }, false},
	"echo without edges":              {func() error { return echo(netPeer, false) }, true},
	"file echo with edges":            {func() error { return echo(filePeer, true) }, false},
	"file echo without edges":         {func() error { return echo(filePeer, false) }, true},
	"kernel writes lent slice":        {func() error { return lent(race.WriteRange) }, true},
	"kernel reads lent slice":         {func() error { return lent(race.ReadRange) }, true},
	"slice lent to nobody":            {func() error { return lent(func([]byte) {}) }, false},
	"edges alone, in the wrong order": {wrongOrder, true},
}

// init takes over in a child process, before the testing package has its say.
func init() {
	name, ok := os.LookupEnv(childEnv)
	if !ok {
		return
	}
	if err := programs[name].run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestDetector(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), childEnv+"="+name,
				fmt.Sprintf("GORACE=atexit_sleep_ms=0 exitcode=%d", raceExit))
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			switch raced := errors.As(err, &exit) && exit.ExitCode() == raceExit; {
			case err != nil && !raced:
				t.Fatalf("%v\n%s", err, out)
			case raced != strings.Contains(string(out), "WARNING: DATA RACE"):
				t.Fatalf("exit code and output disagree: %v\n%s", err, out)
			case raced != p.wantRace:
				t.Errorf("race reported %v, want %v\n%s", raced, p.wantRace, out)
			}
		})
	}
}

// peer is the side of a socket pair that uses the standard library.
type peer interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Close() error
}

func netPeer(f *os.File) (peer, error) {
	defer f.Close()
	return net.FileConn(f)
}

func filePeer(f *os.File) (peer, error) { return f, nil }

// echo passes a plain variable to and fro between a std client and a server that
// uses system calls which the detector doesn't know.
func echo(client func(*os.File) (peer, error), edges bool) error {
	const rounds = 20
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fds[0])
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		return err
	}
	c, err := client(os.NewFile(uintptr(fds[1]), "client"))
	if err != nil {
		return err
	}
	defer c.Close()

	shared := 0
	server := make(chan error, 1)
	go func() {
		var b [1]byte
		for range rounds {
			if err := raw(syscall.SYS_READ, fds[0], b[:]); err != nil {
				server <- err
				return
			}
			if edges {
				race.ReadLike()
			}
			shared++
			if edges {
				race.WriteLike()
			}
			if err := raw(syscall.SYS_WRITE, fds[0], b[:]); err != nil {
				server <- err
				return
			}
		}
		server <- nil
	}()
	var b [1]byte
	for range rounds {
		shared++
		if _, err := c.Write(b[:]); err != nil {
			return err
		}
		if _, err := c.Read(b[:]); err != nil {
			return err
		}
	}
	if err := <-server; err != nil {
		return err
	}
	if shared != 2*rounds {
		return fmt.Errorf("shared = %d, want %d", shared, 2*rounds)
	}
	return nil
}

// raw moves one byte by a system call without the edges of package syscall.
func raw(trap uintptr, fd int, p []byte) error {
	n, _, errno := syscall.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return errno
	}
	if int(n) != len(p) {
		return fmt.Errorf("%d bytes, want %d", n, len(p))
	}
	return nil
}

// lent writes to a slice in one goroutine while another has lent it.
func lent(lend func([]byte)) error {
	p := make([]byte, 16)
	done := make(chan bool)
	go func() {
		lend(p)
		done <- true
	}()
	p[7] = 1
	<-done
	return nil
}

// wrongOrder reads before it acquires: an edge must not excuse that.
func wrongOrder() error {
	shared, seen := 0, 0
	done := make(chan bool)
	go func() {
		shared = 1
		race.WriteLike()
		done <- true
	}()
	go func() {
		seen = shared
		race.ReadLike()
		done <- true
	}()
	<-done
	<-done
	if seen > 1 {
		return errors.New("impossible value")
	}
	return nil
}
