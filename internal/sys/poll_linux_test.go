//go:build linux && !portable

package sys

import (
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFDSet(t *testing.T) {
	var s FDSet
	fds := []int32{0, 1, 31, 32, 63, 64, 65, 1000, FDSetSize - 1}
	for i, fd := range fds {
		s.Set(fd)
		for j, other := range fds {
			if s.Has(other) != (j <= i) {
				t.Errorf("after Set(%d): Has(%d) = %v", fd, other, s.Has(other))
			}
		}
	}
	for _, fd := range fds {
		if s.Clear(fd); s.Has(fd) {
			t.Errorf("%d is in the set after Clear", fd)
		}
	}
	if s != (FDSet{}) {
		t.Errorf("something is left: %v", s)
	}
}

// The kernel reads an FDSet's bits as Set wrote them, and answers in the same.
func TestSelect(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, fd := range []int32{5, 31, 32, 63, 64, 700, FDSetSize - 1} {
		if IsOpen(fd) {
			continue // the test binary has it
		}
		if err := unix.Dup3(int(r.Fd()), int(fd), unix.O_CLOEXEC); err != nil {
			t.Skip("the limit on descriptors is low: ", err)
		}
		var in, none FDSet
		in.Set(fd)
		if res := SelectNow(int(fd)+1, &in, &none, &none); res != 0 || in.Has(fd) {
			t.Errorf("select on an empty pipe as %d = %d, ready %v", fd, res, in.Has(fd))
		}
		in.Set(fd)
		w.Write([]byte("x"))
		if res := Select(int(fd)+1, &in, &none, &none, -1); res != 1 || !in.Has(fd) {
			t.Errorf("select on a full pipe as %d = %d, ready %v", fd, res, in.Has(fd))
		}
		r.Read(make([]byte, 1))
		Close(fd)
	}
}

// Neither wait ends before its time, and one of a thousand years can be asked for.
func TestPpollTime(t *testing.T) {
	for _, d := range []time.Duration{1, time.Microsecond, 1_500_000} {
		start := time.Now()
		if res := Ppoll(nil, int64(d)); res == 0 && time.Since(start) < d {
			t.Errorf("ppoll of %v ended after %v", d, time.Since(start))
		}
		start = time.Now()
		if res := Select(0, nil, nil, nil, int64(d)); res == 0 && time.Since(start) < d {
			t.Errorf("pselect6 of %v ended after %v", d, time.Since(start))
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Close()
	fds := []PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}, {Fd: 1 << 20}}
	if res := ppollAgain(fds, math.MaxInt64); res != 2 || fds[0].Revents&unix.POLLHUP == 0 ||
		fds[1].Revents != unix.POLLNVAL {
		t.Errorf("ppoll = %d, %+v", res, fds)
	}
}

func TestTimerfd(t *testing.T) {
	fd := want(t, "timerfd", Timerfd())
	defer Close(fd)
	fds := []PollFd{{Fd: fd, Events: unix.POLLIN}}
	if res := PpollNow(fds); res != 0 {
		t.Errorf("a timer that was not set is readable")
	}
	for _, d := range []time.Duration{0, 1, time.Millisecond} {
		start := time.Now()
		want(t, "set", SetTimer(fd, int64(d)))
		if res := ppollAgain(fds, -1); res != 1 {
			t.Fatalf("ppoll = %d", res)
		}
		if passed := time.Since(start); passed < d {
			t.Errorf("a timer of %v ended after %v", d, passed)
		}
		want(t, "set", SetTimer(fd, int64(time.Hour)))
		if res := PpollNow(fds); res != 0 {
			t.Errorf("a timer that was set anew is still readable")
		}
	}
}

func TestIsOpen(t *testing.T) {
	fd := want(t, "eventfd", Eventfd())
	if !IsOpen(fd) {
		t.Error("an open descriptor is not open")
	}
	Close(fd)
	if IsOpen(fd) || IsOpen(-1) {
		t.Error("a closed descriptor is open")
	}
}

func TestFilesMax(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if got := FilesMax(); got != lim.Cur {
		t.Errorf("FilesMax = %d, want %d", got, lim.Cur)
	}
}
