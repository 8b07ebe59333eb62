//go:build linux && !portable

package sys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel agrees about each kind of name.
func TestUnixNamesByTheKernel(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "u") // short, because names are
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := func(n int) string {
		return filepath.Join(dir, strings.Repeat("p", n-len(dir)-1))
	}
	for _, name := range []string{path(20), path(107), path(108), "@ringo-test-\x00-" + filepath.Base(dir)} {
		s := want(t, "socket", Socket(AFUnix, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0))
		var sa, got Sockaddr
		if !sa.SetUnix(name) {
			t.Fatalf("SetUnix(%q) refused it", name)
		}
		want(t, "bind", Bind(s, &sa))
		want(t, "getsockname", Getsockname(s, &got))
		if back, ok := got.Unix(); !ok || back != name {
			t.Errorf("bound to %q, getsockname says %q, %v (%d bytes)", name, back, ok, got.Len())
		}
		peer := want(t, "socket", Socket(AFUnix, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0))
		want(t, "connect", Connect(peer, &sa))
		Close(peer)
		Close(s)
	}
	unnamed := want(t, "socket", Socket(AFUnix, unix.SOCK_DGRAM, 0))
	defer Close(unnamed)
	var none, auto Sockaddr
	want(t, "getsockname", Getsockname(unnamed, &none))
	if name, ok := none.Unix(); name != "" || !ok {
		t.Errorf("a socket without a name is called %q, %v", name, ok)
	}
	none.SetUnix("")
	want(t, "bind to no name", Bind(unnamed, &none))
	want(t, "getsockname", Getsockname(unnamed, &auto))
	if name, ok := auto.Unix(); !strings.HasPrefix(name, "@") || len(name) != 6 || !ok {
		t.Errorf("bind to no name gave %q, want @ and five digits", name)
	}
}

func TestSocketpairAndCredentials(t *testing.T) {
	a, b, res := Socketpair(unix.SOCK_SEQPACKET | unix.SOCK_NONBLOCK)
	want(t, "socketpair", res)
	defer Close(a)
	defer Close(b)
	for _, fd := range []int32{a, b} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d has flags %#x (%v), want CLOEXEC", fd, flags, err)
		}
	}
	cred, res := PeerCred(a)
	want(t, "SO_PEERCRED", res)
	if me := (Ucred{int32(os.Getpid()), uint32(os.Geteuid()), uint32(os.Getegid())}); cred != me {
		t.Errorf("the peer is %+v, want %+v", cred, me)
	}
	for name, c := range map[string]struct{ option, want int32 }{
		"SO_DOMAIN": {SoDomain, AFUnix}, "SO_TYPE": {SoType, SockSeqpacket}, "SO_PROTOCOL": {SoProtocol, 0},
		"SO_ACCEPTCONN": {SoAcceptconn, 0},
	} {
		got, res := GetsockoptInt(a, SolSocket, int(c.option))
		want(t, name, res)
		if got != c.want {
			t.Errorf("%s = %d, want %d", name, got, c.want)
		}
	}
}

func TestOptionBytes(t *testing.T) {
	s := want(t, "socket", Socket(AFInet, unix.SOCK_STREAM, 0))
	defer Close(s)
	info := make([]byte, 512)
	n := want(t, "TCP_INFO", Getsockopt(s, ProtoTCP, TCPInfo, info))
	if n == 4 {
		t.Skip("getsockopt gives an int where Linux gives a struct, as qemu-user does")
	}
	if n < 104 || int(n) > len(info) {
		t.Fatalf("TCP_INFO is %d bytes", n)
	}
	if info[0] != 7 { // TCP_CLOSE
		t.Errorf("tcpi_state = %d, want 7", info[0])
	}
	if n := want(t, "half of TCP_INFO", Getsockopt(s, ProtoTCP, TCPInfo, info[:50])); n != 50 {
		t.Errorf("into 50 bytes came %d", n)
	}
	want(t, "setsockopt", Setsockopt(s, ProtoTCP, unix.TCP_CONGESTION, []byte("reno")))
	n = want(t, "getsockopt", Getsockopt(s, ProtoTCP, unix.TCP_CONGESTION, info))
	if got := string(bytes.TrimRight(info[:n], "\x00")); got != "reno" {
		t.Errorf("TCP_CONGESTION = %q after it was set to reno", got)
	}
	if res := Getsockopt(s, SolSocket, 12345, info); res != -int32(syscall.ENOPROTOOPT) {
		t.Errorf("getsockopt of no such option = %d", res)
	}
}
