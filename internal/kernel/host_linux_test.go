//go:build linux

package kernel

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

func gave(t *testing.T, what string, res, want int32) {
	t.Helper()
	if res != want {
		t.Fatalf("%s = %d, want %d", what, res, want)
	}
}

// given closes a descriptor that a call gave, and wants it as loops do.
func given(t *testing.T, what string, fd int32) int32 {
	t.Helper()
	if fd < 0 {
		t.Fatalf("%s = %d", what, fd)
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("%s: descriptor flags %#x, %v, want FD_CLOEXEC", what, flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("%s: status flags %#x, %v, want O_NONBLOCK", what, flags, err)
	}
	return fd
}

func pairOf(t *testing.T, kind int) (a, b int32) {
	t.Helper()
	a, b, res := sys.Socketpair(kind | sys.SockNonblock)
	gave(t, "Socketpair", res, 0)
	return given(t, "Socketpair", a), given(t, "Socketpair", b)
}

func TestNames(t *testing.T) {
	var k Kernel = Host{}
	l := given(t, "Socket", k.Socket(sys.AFInet, sys.SockStream, 0))
	sa := new(sys.Sockaddr)
	sa.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	gave(t, "Bind", k.Bind(l, sa), 0)
	gave(t, "Bind again", k.Bind(l, sa), -sys.EINVAL)
	gave(t, "Listen", k.Listen(l, 8), 0)
	gave(t, "Getsockname", k.Getsockname(l, sa), 0)
	at := sa.AddrPort()
	if at.Addr() != netip.MustParseAddr("127.0.0.1") || at.Port() == 0 {
		t.Errorf("the listener is at %v", at)
	}
	gave(t, "Getpeername of a listener", k.Getpeername(l, sa), -int32(unix.ENOTCONN))

	c := given(t, "Socket", k.Socket(sys.AFInet, sys.SockDgram, 0))
	sa.Set(at)
	gave(t, "Connect", k.Connect(c, sa), 0)
	gave(t, "Getpeername", k.Getpeername(c, sa), 0)
	if sa.AddrPort() != at {
		t.Errorf("the peer is at %v, want %v", sa.AddrPort(), at)
	}
	gave(t, "Socket of no such family", k.Socket(9999, sys.SockStream, 0), -int32(unix.EAFNOSUPPORT))
}

func TestOptions(t *testing.T) {
	var k Kernel = Host{}
	s := given(t, "Socket", k.Socket(sys.AFInet, sys.SockStream, 0))
	for _, want := range []int{1, 0} {
		gave(t, "Setsockopt", k.Setsockopt(s, sys.SolSocket, unix.SO_KEEPALIVE, want), 0)
		got, res := k.Getsockopt(s, sys.SolSocket, unix.SO_KEEPALIVE)
		gave(t, "Getsockopt", res, 0)
		if got != int32(want) {
			t.Errorf("SO_KEEPALIVE is %d after it was set to %d", got, want)
		}
	}
	gave(t, "Setsockopt of no such option", k.Setsockopt(s, sys.SolSocket, 12345, 1), -int32(unix.ENOPROTOOPT))
	_, res := k.Getsockopt(s, sys.SolSocket, 12345)
	gave(t, "Getsockopt of no such option", res, -int32(unix.ENOPROTOOPT))

	for _, seconds := range []int{7, -1} {
		gave(t, "SetLinger", k.SetLinger(s, seconds), 0)
		raw := make([]byte, 64)
		gave(t, "GetsockoptBytes", k.GetsockoptBytes(s, sys.SolSocket, unix.SO_LINGER, raw), 8)
		l, err := unix.GetsockoptLinger(int(s), unix.SOL_SOCKET, unix.SO_LINGER)
		if err != nil || (l.Onoff != 0) != (seconds >= 0) || seconds >= 0 && l.Linger != int32(seconds) {
			t.Errorf("SO_LINGER is %+v, %v after SetLinger(%d)", l, err, seconds)
		}
	}
	u := given(t, "Socket", k.Socket(sys.AFInet, sys.SockDgram, 0))
	join := []byte{224, 0, 0, 251, 127, 0, 0, 1}
	gave(t, "joining a group", k.SetsockoptBytes(u, cmsg.LevelIP, unix.IP_ADD_MEMBERSHIP, join), 0)
	gave(t, "joining again", k.SetsockoptBytes(u, cmsg.LevelIP, unix.IP_ADD_MEMBERSHIP, join), -sys.EADDRINUSE)
}

// A duplicate is another number of the same open file: what is set is set for both.
func TestDescriptors(t *testing.T) {
	var k Kernel = Host{}
	a, b := pairOf(t, sys.SockStream)
	dup := given(t, "Dup", k.Dup(a))
	for _, want := range []int32{0, sys.ONonblock} {
		gave(t, "Setfl", k.Setfl(a, want), 0)
		if got := k.Getfl(dup); got < 0 || got&sys.ONonblock != want {
			t.Errorf("Getfl of the duplicate = %#x after %#x was set", got, want)
		}
	}
	plain, err := unix.Dup(int(a))
	if err != nil {
		t.Fatal(err)
	}
	gave(t, "SetCloexec", k.SetCloexec(int32(plain)), 0)
	given(t, "SetCloexec", int32(plain))
	for what, res := range map[string]int32{
		"Dup": k.Dup(-1), "Getfl": k.Getfl(-1), "SetCloexec": k.SetCloexec(-1), "Close": k.Close(-1),
		"SetLinger": k.SetLinger(-1, 1),
	} {
		gave(t, what+" of no descriptor", res, -sys.EBADF)
	}

	p := make([]byte, 8)
	gave(t, "Peek of nothing", k.Peek(b, p), -sys.EAGAIN)
	unix.Write(int(a), []byte("peeked"))
	for range 2 {
		if n := k.Peek(b, p); n != 6 || string(p[:n]) != "peeked" {
			t.Errorf("Peek = %d, %q", n, p)
		}
	}
	gave(t, "Shutdown", k.Shutdown(a, unix.SHUT_WR), 0)
	unix.Read(int(b), p)
	gave(t, "Peek of the end", k.Peek(b, p), 0)
}

func TestPipe(t *testing.T) {
	var k Kernel = Host{}
	for _, size := range []int{0, 1 << 17} {
		r, w, res := k.Pipe(size)
		gave(t, "Pipe", res, 0)
		given(t, "Pipe", r)
		given(t, "Pipe", w)
		room := 0
		for chunk := make([]byte, 4096); ; {
			n, err := unix.Write(int(w), chunk)
			if err != nil {
				break
			}
			room += n
		}
		if room == 0 || size != 0 && room != size {
			t.Errorf("a pipe for %d bytes took %d", size, room)
		}
	}
}

// Bytes just written are in memory, a hole that nobody has read is not.
func TestResident(t *testing.T) {
	var k Kernel = Host{}
	const hole = 1 << 20
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, hole); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int32(f.Fd())
	switch res := k.Resident(fd, 0, 10); res {
	case -sys.ENOSYS, -sys.EPERM, -sys.EOPNOTSUPP:
		t.Skipf("no cachestat(2) here: %d", res)
	default:
		gave(t, "Resident of what was written", res, 1)
	}
	gave(t, "Resident of a hole", k.Resident(fd, hole/2, hole/2), 0)
	gave(t, "Resident of both", k.Resident(fd, 0, hole), 0)
	gave(t, "Resident of no descriptor", k.Resident(-1, 0, 1), -sys.EBADF)
}
