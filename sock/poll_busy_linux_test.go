//go:build linux

package sock_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
)

// openAs counts the descriptors of this process that are of a file.
func openAs(t *testing.T, f *os.File) (n int) {
	t.Helper()
	want, err := os.Readlink(fmt.Sprint("/proc/self/fd/", f.Fd()))
	entries, dirErr := os.ReadDir("/proc/self/fd")
	if err := errors.Join(err, dirErr); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && name == want {
			n++
		}
	}
	return n
}

// callsBeside reports whether a goroutine makes a call of a Pollable's.
func callsBeside() bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "(*Pollable).offload.func1(")
}

// inTwos has a terminal be ready when a byte has come, and a read of it wait for a
// second: VMIN beside VTIME of termios(3).
func inTwos(t *testing.T, f *os.File) {
	t.Helper()
	tio, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err == nil {
		tio.Lflag &^= unix.ICANON | unix.ECHO
		tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 2, 255
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, tio)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A read that waits on a thread keeps its descriptor: a Close meanwhile waits for it,
// else the number would be another file's before the call comes back.
func TestPollCloseWaitsForTheThread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		rf, wf := pipeOf(t, "terminal", 0)
		inTwos(t, rf)
		send := func() {
			if _, err := unix.Write(int(wf.Fd()), []byte{'x'}); err != nil {
				t.Error(err)
			}
		}
		before := openAs(t, rf)
		onLoop(t, cfg, func(l *ringo.Loop) {
			p := pollOf(t, l, rf)
			reading := l.Go(func() {
				if n, err := p.Read(make([]byte, 10)); n != 2 && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %d, %v", n, err)
				}
			})
			send()
			eventuallyOn(t, l, "the read waits in its call", callsBeside)
			closed := false
			closing := l.Go(func() {
				p.Close()
				closed = true
			})
			others(l)
			others(l)
			if n := openAs(t, rf); closed || n != before+1 {
				t.Errorf("closed %v, %d descriptors while a call uses one; want %d", closed, n, before+1)
			}
			send()
			closing.Wait()
			reading.Wait()
			if n := openAs(t, rf); n != before {
				t.Errorf("%d descriptors are left, %d before", n, before)
			}
		})
	})
}
