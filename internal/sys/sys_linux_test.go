//go:build linux && !portable

package sys

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func want(t *testing.T, what string, res int32) int32 {
	t.Helper()
	if res < 0 {
		t.Fatalf("%s: %v", what, syscall.Errno(-res))
	}
	return res
}

func TestStreamRoundTrip(t *testing.T) {
	ln := want(t, "socket", Socket(AFInet, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))
	defer Close(ln)
	var sa Sockaddr
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	want(t, "bind", Bind(ln, &sa))
	want(t, "listen", Listen(ln, 8))
	want(t, "getsockname", Getsockname(ln, &sa))

	if res := Accept(ln); res != -int32(syscall.EAGAIN) {
		t.Errorf("accept with nobody there = %d, want -EAGAIN", res)
	}
	c := want(t, "socket", Socket(AFInet, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))
	defer Close(c)
	if res := Connect(c, &sa); res != 0 && res != -int32(syscall.EINPROGRESS) {
		t.Fatalf("connect = %v", syscall.Errno(-res))
	}
	if mask := want(t, "poll", Poll(ln, unix.POLLIN)); mask&unix.POLLIN == 0 {
		t.Fatalf("poll of a listener with a peer = %#x, want POLLIN", mask)
	}
	s := want(t, "accept", Accept(ln))
	defer Close(s)

	flags, err := unix.FcntlInt(uintptr(s), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("an accepted descriptor lacks CLOEXEC (flags %#x, %v)", flags, err)
	}
	var peer Sockaddr
	want(t, "getpeername", Getpeername(s, &peer))
	var local Sockaddr
	want(t, "getsockname", Getsockname(c, &local))
	if peer.AddrPort() != local.AddrPort() {
		t.Errorf("getpeername = %v, want %v", peer.AddrPort(), local.AddrPort())
	}

	msg := []byte("one byte more than nothing")
	if n := want(t, "send", Send(c, msg, 0)); int(n) != len(msg) {
		t.Fatalf("send = %d, want %d", n, len(msg))
	}
	got := make([]byte, 64)
	n := want(t, "recv", Recv(s, got, 0))
	if !bytes.Equal(got[:n], msg) {
		t.Errorf("recv = %q, want %q", got[:n], msg)
	}
	if res := Recv(s, got, 0); res != -int32(syscall.EAGAIN) {
		t.Errorf("recv of nothing = %d, want -EAGAIN", res)
	}
	want(t, "shutdown", Shutdown(c, unix.SHUT_WR))
	if n := want(t, "recv at end", Recv(s, got, 0)); n != 0 {
		t.Errorf("recv after FIN = %d, want 0", n)
	}
}

func TestBadDescriptorIsAnErrno(t *testing.T) {
	for name, res := range map[string]int32{
		"recv": Recv(-1, make([]byte, 1), 0), "send": Send(-1, nil, 0), "close": Close(-1),
		"accept": Accept(-1), "shutdown": Shutdown(-1, 0), "read": Read(-1, nil), "signal": Signal(-1),
	} {
		if res != -int32(syscall.EBADF) {
			t.Errorf("%s of descriptor -1 = %d, want -EBADF", name, res)
		}
	}
}

func TestOptions(t *testing.T) {
	s := want(t, "socket", Socket(AFInet, unix.SOCK_STREAM, 0))
	defer Close(s)
	want(t, "setsockopt", SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	v, res := GetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	want(t, "getsockopt", res)
	if v == 0 {
		t.Error("TCP_NODELAY = 0 after it was set")
	}
	want(t, "linger", SetLinger(s, true, 7))
	l, err := unix.GetsockoptLinger(int(s), unix.SOL_SOCKET, unix.SO_LINGER)
	if err != nil || l.Onoff != 1 || l.Linger != 7 {
		t.Errorf("SO_LINGER = %+v, %v, want on, 7 s", l, err)
	}
}

func TestEventfd(t *testing.T) {
	fd := want(t, "eventfd", Eventfd())
	defer Close(fd)
	want(t, "unsignal", Unsignal(fd))
	want(t, "signal", Signal(fd))
	if mask := want(t, "poll", Poll(fd, unix.POLLIN)); mask != unix.POLLIN {
		t.Errorf("poll = %#x after a signal, want POLLIN", mask)
	}
	want(t, "unsignal", Unsignal(fd))
	if mask := want(t, "poll", Poll(fd, unix.POLLIN)); mask != 0 {
		t.Errorf("poll = %#x after the count was read, want 0", mask)
	}
}

func TestFiles(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int32(f.Fd())
	if !IsRegular(fd) {
		t.Error("a file is not taken for regular")
	}
	if n := want(t, "pwrite", WriteAt(fd, []byte("hello"), 3)); n != 5 {
		t.Errorf("pwrite = %d, want 5", n)
	}
	p := make([]byte, 16)
	if n := want(t, "pread", ReadAt(fd, p, 3)); string(p[:n]) != "hello" {
		t.Errorf("pread = %q, want hello", p[:n])
	}
	if n := want(t, "read at position", ReadAt(fd, p, -1)); n != 8 {
		t.Errorf("read from the start = %d, want 8", n)
	}
	if res := ReadAt(-1, p, 0); res != -int32(syscall.EBADF) {
		t.Errorf("pread of descriptor -1 = %d, want -EBADF", res)
	}
}

func TestCPUs(t *testing.T) {
	cpus, err := CPUs(0)
	if err != nil || len(cpus) == 0 {
		t.Fatalf("CPUs(0) = %v, %v", cpus, err)
	}
	if err := SetCPUs(0, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("SetCPUs(0, nil) = %v, want EINVAL", err)
	}
}
