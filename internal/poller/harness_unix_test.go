//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package poller

import (
	"os"
	"testing"
	"time"

	"ringo/internal/sys"
)

func want(t *testing.T, what string, got, want int32) {
	t.Helper()
	if got != want {
		t.Fatalf("%s = %d, want %d", what, got, want)
	}
}

func pair(t *testing.T) (a, b int32) {
	t.Helper()
	a, b, res := sys.Socketpair(sys.SockStream)
	want(t, "socketpair", res, 0)
	t.Cleanup(func() { sys.Close(a); sys.Close(b) })
	return a, b
}

// wait is Wait until something comes or the time is over, whatever interrupts it.
func wait(t *testing.T, p Poller, timeout time.Duration, events []Event) int {
	t.Helper()
	for begin := time.Now(); ; {
		left := timeout
		if timeout > 0 {
			left = max(0, timeout-time.Since(begin))
		}
		switch n := p.Wait(int64(left), events); {
		case n >= 0:
			return int(n)
		case n != -sys.EINTR:
			t.Fatalf("wait = %d", n)
		}
	}
}

// only fails unless the next wait gives this one event.
func only(t *testing.T, p Poller, key uint64, ready uint32) {
	t.Helper()
	events := make([]Event, 4)
	if n := wait(t, p, 10*time.Second, events); n != 1 || events[0] != (Event{Key: key, Ready: ready}) {
		t.Fatalf("%d events, the first of key %d with %#x; want one of key %d with %#x", n, events[0].Key,
			events[0].Ready, key, ready)
	}
}

// none fails if there is an event.
func none(t *testing.T, p Poller) {
	t.Helper()
	events := make([]Event, 4)
	if n := wait(t, p, 0, events); n != 0 {
		t.Fatalf("%d events, the first of key %d with %#x; want none", n, events[0].Key, events[0].Ready)
	}
}

func send(t *testing.T, fd int32, data string) {
	t.Helper()
	want(t, "send", sys.Send(fd, []byte(data), 0), int32(len(data)))
}

func drain(fd int32) {
	for b := make([]byte, 1<<16); sys.Recv(fd, b, sys.MsgDontwait) > 0; {
	}
}

// fill makes a socket have no room.
func fill(fd int32) {
	for b := make([]byte, 1<<16); sys.Send(fd, b, sys.MsgDontwait) > 0; {
	}
}

// devNull makes fd stand for something else.
func devNull(t *testing.T, fd int32) {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want(t, "dup3", dup3(int32(f.Fd()), fd), 0)
}
