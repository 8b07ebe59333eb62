//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"errors"
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// These tests are of calls that have Linux's meaning where the system's own is another.

func streams(t *testing.T) (a, b int32) {
	t.Helper()
	a, b, res := Socketpair(SockStream | SockNonblock)
	if res < 0 {
		t.Fatal(res)
	}
	t.Cleanup(func() { Close(a); Close(b) })
	return a, b
}

// A disk that could not write is not asked once more by a call that leaves everything in its cache (go#64215).
func TestDurably(t *testing.T) {
	broken := errors.New("the disk's")
	for _, c := range []struct {
		full, plain, want error
	}{
		{nil, broken, nil},
		{unix.ENOTSUP, nil, nil},
		{unix.ENOTTY, broken, broken},
		{unix.EINTR, nil, unix.EINTR},
		{unix.EIO, nil, unix.EIO},
	} {
		got := durably(func() error { return c.full }, func() error { return c.plain })
		if got != c.want {
			t.Errorf("full %v, plain %v: %v, want %v", c.full, c.plain, got, c.want)
		}
	}
}

// Darwin's word for a connection that is being torn down (libuv#482).
func TestTorn(t *testing.T) {
	for res, want := range map[int32]int32{-EPROTOTYPE: -ECONNRESET, -EPIPE: -EPIPE, 3: 3} {
		if got := torn(res); got != want {
			t.Errorf("%d: %d, want %d", res, got, want)
		}
	}
}

// A descriptor is gone whatever close says of it, but for one that was none.
func TestClosed(t *testing.T) {
	for err, want := range map[error]int32{nil: 0, unix.EINTR: 0, unix.ECONNRESET: 0, unix.EBADF: -EBADF} {
		if got := closed(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

// golang.org/x/sys sends and receives a byte with control messages where there is none.
func TestNothingIsNoByte(t *testing.T) {
	a, b := streams(t)
	var p [2]byte
	control := make([]byte, 64)
	putLinux(control, rights, make([]byte, 4)) // standard input
	var msg Msghdr
	msg.Arm(nil, false, control[:linuxSpace(4)], false)
	if res := Sendmsg(a, &msg, 0); res != 0 {
		t.Errorf("a send of nothing: %d", res)
	}
	if res := Recv(b, p[:], 0); res != -EAGAIN {
		t.Errorf("nothing was sent, and %d bytes came", res)
	}
	if res := Send(a, []byte("xy"), 0); res != 2 {
		t.Fatal(res)
	}
	msg.Arm(nil, false, control, true)
	if res := Recvmsg(b, &msg, 0); res != 0 || msg.Controllen != 0 {
		t.Errorf("a receive without room: %d, %d of control", res, msg.Controllen)
	}
	if res := Recv(b, p[:], 0); res != 2 || p != [2]byte{'x', 'y'} {
		t.Errorf("after a receive without room %d bytes are left: %q", res, p)
	}
}

// A datagram is received without room for it: it was cut.
func TestDatagramWithoutRoom(t *testing.T) {
	a, b, res := Socketpair(SockDgram | SockNonblock)
	if res < 0 {
		t.Fatal(res)
	}
	defer Close(a)
	defer Close(b)
	Send(a, []byte("x"), 0)
	var msg Msghdr
	msg.Arm(nil, false, make([]byte, 64), true)
	if res := Recvmsg(b, &msg, 0); res != 0 || msg.OutFlags()&MsgTrunc == 0 {
		t.Errorf("%d bytes, flags %#x", res, msg.OutFlags())
	}
}

// Of all descriptors that a message can bring we are told, also where there is no room for them (cpython#80931).
func TestControlRoom(t *testing.T) {
	const most = (2048 - 16) / 4 // of what Darwin takes of control messages
	if need := unix.CmsgSpace(4 * most); controlRoom < need {
		t.Errorf("room for %d bytes, want %d", controlRoom, need)
	}
}

// Options that are on or off are 1 or 0, and not a bit of some word of the kernel's: SO_KEEPALIVE is 8 on the BSDs.
func TestFlagsAreOneOrZero(t *testing.T) {
	for _, o := range []option{
		{SolSocket, SoReuseaddr}, {SolSocket, SoKeepalive}, {SolSocket, SoBroadcast}, {SolSocket, SoReuseport},
		{SolSocket, SoAcceptconn}, {ProtoTCP, TCPNodelay}, {protoIPv6, IPv6Only},
	} {
		n, _ := nativeOption(o.level, o.name)
		if on, off := n.told(0x80), n.told(0); on != 1 || off != 0 {
			t.Errorf("%v: %d when it is on, %d when it is off", o, on, off)
		}
	}
	for _, o := range []option{{SolSocket, SoRcvbuf}, {protoIP, IPTTL}} {
		if n, _ := nativeOption(o.level, o.name); n.told(0x80) != 0x80 {
			t.Errorf("%v is no flag", o)
		}
	}
}

// Who asks for the queue of errors, of which no other system has one, does not take what came.
func TestErrorQueueIsEmpty(t *testing.T) {
	a, b := streams(t)
	Send(a, []byte("x"), 0)
	var p [2]byte
	var msg Msghdr
	vec := Iovec{Base: &p[0], Len: 2}
	msg.Iov, msg.Iovlen = &vec, 1
	if res := Recvmsg(b, &msg, MsgErrqueue); res != -EAGAIN {
		t.Errorf("recvmsg: %d", res)
	}
	if res := Recv(b, p[:], MsgErrqueue); res != -EAGAIN {
		t.Errorf("recv: %d", res)
	}
	if res := Recv(b, p[:], 0); res != 1 {
		t.Errorf("the byte: %d", res)
	}
}

// A send to a peer that is gone makes no signal, also for a program that has asked for it.
func TestSendMakesNoSignal(t *testing.T) {
	a, b := streams(t)
	Shutdown(b, ShutRdwr)
	Shutdown(a, ShutWr)
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, unix.SIGPIPE, unix.SIGWINCH)
	defer signal.Stop(ch)
	p := []byte("x")
	vec := Iovec{Base: &p[0], Len: 1}
	var msg Msghdr
	msg.Iov, msg.Iovlen = &vec, 1
	if res := Send(a, p, 0); res != -EPIPE {
		t.Errorf("send: %d", res)
	}
	if res := Sendmsg(a, &msg, 0); res != -EPIPE {
		t.Errorf("sendmsg: %d", res)
	}
	unix.Kill(os.Getpid(), unix.SIGWINCH) // of a higher number: it comes behind
	if got := <-ch; got != unix.SIGWINCH {
		t.Errorf("a send made %v", got)
	}
}

// That the process is out of descriptors shows where eventfds can't be had: Go's netpoller dies of it.
func TestSpareWithoutEventfds(t *testing.T) {
	fd := Dup(0)
	if fd < 0 {
		t.Fatal(fd)
	}
	Close(fd)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	less := was
	less.Cur = 1
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &less); err != nil {
		t.Fatal(err)
	}
	err := Spare(2)
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); e != nil {
		t.Fatal(e)
	}
	if err != unix.EMFILE {
		t.Errorf("without descriptors: %v", err)
	}
	if err := Spare(2); err != nil {
		t.Error(err)
	}
}

func TestSetSticky(t *testing.T) {
	name := t.TempDir() + "/d"
	if err := os.Mkdir(name, 0o751); err != nil {
		t.Fatal(err)
	}
	if res := setSticky(AtFdcwd, append([]byte(name), 0)); res < 0 {
		t.Fatal(res)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o751 {
		t.Error(info.Mode(), err)
	}
	if res := Mkdirat(AtFdcwd, append([]byte(name+"/e"), 0), 0o1711); res < 0 {
		t.Fatal(res)
	}
	if info, err := os.Stat(name + "/e"); err != nil || info.Mode()&os.ModeSticky == 0 {
		t.Error(info.Mode(), err)
	}
}

// To connect to all addresses is to connect to this machine: on OpenBSD it is refused.
func TestToHere(t *testing.T) {
	for _, c := range []struct{ to, want unix.Sockaddr }{
		{&unix.SockaddrInet4{Port: 1}, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}},
		{&unix.SockaddrInet4{Addr: [4]byte{10}}, &unix.SockaddrInet4{Addr: [4]byte{10}}},
		{&unix.SockaddrInet6{Port: 1}, &unix.SockaddrInet6{Port: 1, Addr: [16]byte{15: 1}}},
	} {
		toHere(c.to)
		var got, want Sockaddr
		got.setNative(c.to)
		want.setNative(c.want)
		if got.AddrPort() != want.AddrPort() {
			t.Errorf("%v, want %v", got.AddrPort(), want.AddrPort())
		}
	}
}

// A call on a name that is empty is refused, and does not end the program.
func TestNoName(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	fd, none := int32(dir.Fd()), []byte{0}
	if res := Readlinkat(fd, none, make([]byte, 8)); res >= 0 {
		t.Errorf("readlinkat: %d", res)
	}
	if res := Mknodat(fd, none, SIfifo|0o600, 0); res >= 0 {
		t.Errorf("mknodat: %d", res)
	}
}
