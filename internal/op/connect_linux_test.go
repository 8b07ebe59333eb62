//go:build linux

package op

import (
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/sys"
)

// A connect that is asked again before anything has come of it goes on: who polls may have been woken for nothing.
func TestConnectGoesOn(t *testing.T) {
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	ln := socket()
	if err := unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(ln, 0); err != nil {
		t.Fatal(err)
	}
	var addr sys.Sockaddr
	if res := sys.Getsockname(int32(ln), &addr); res < 0 {
		t.Fatal(res)
	}
	s := NewSlab(0)
	for range 8 { // until the backlog is full
		o := s.Get(Connect)
		o.FD = new(fd.FD)
		o.FD.Init(int32(socket()))
		s.Ext(o).Addr = addr
		if res := attemptConnect(o); res != -sys.EAGAIN {
			t.Fatalf("the first attempt: %d", res)
		}
		if p := []unix.PollFd{{Fd: o.FD.Sys(), Events: unix.POLLOUT}}; ready(t, p) {
			continue
		}
		for range 2 {
			if res := attemptConnect(o); res != -sys.EAGAIN {
				t.Fatalf("of one that waits for room: %d", res)
			}
		}
		return
	}
	t.Fatal("a backlog of none takes 8 connections")
}

func ready(t *testing.T, p []unix.PollFd) bool {
	n, err := unix.Poll(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}
