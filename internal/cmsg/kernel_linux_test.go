//go:build linux

package cmsg

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

func check(t *testing.T, what string, res int32) int32 {
	t.Helper()
	if res < 0 {
		t.Fatalf("%s: %v", what, unix.Errno(-res))
	}
	return res
}

// udp makes two UDP sockets on the loopback, the second connected to the first.
func udp(t *testing.T, family int) (in, out int32, at netip.AddrPort) {
	t.Helper()
	at = netip.MustParseAddrPort("127.0.0.1:0")
	if family == sys.AFInet6 {
		at = netip.MustParseAddrPort("[::1]:0")
	}
	var sa sys.Sockaddr
	for _, fd := range []*int32{&in, &out} {
		if *fd = sys.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0); *fd == -int32(unix.EAFNOSUPPORT) {
			t.Skip("no IPv6 here")
		}
		check(t, "socket", *fd)
		t.Cleanup(func() { sys.Close(*fd) })
	}
	sa.Set(at)
	if res := sys.Bind(in, &sa); res == -sys.EADDRNOTAVAIL && family == sys.AFInet6 {
		t.Skip("no IPv6 on the loopback here")
	} else {
		check(t, "bind", res)
	}
	check(t, "getsockname", sys.Getsockname(in, &sa))
	check(t, "connect", sys.Connect(out, &sa))
	return in, out, sa.AddrPort()
}

// send sends a datagram with control messages.
func send(t *testing.T, fd int32, text string, control []byte) {
	t.Helper()
	p := []byte(text)
	var msg sys.Msghdr
	msg.Arm(nil, false, control, false)
	msg.Iov, msg.Iovlen = &sys.Iovec{Base: &p[0], Len: uintptr(len(p))}, 1
	check(t, "sendmsg", sys.Sendmsg(fd, &msg, 0))
}

// receive receives a datagram, which is there or on its way, and its control
// messages.
func receive(t *testing.T, fd int32, room int) (control []byte, flags uint32) {
	t.Helper()
	for n, err := 0, error(nil); n <= 0; {
		if n, err = unix.Poll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, 10_000); n == 0 {
			t.Fatal("no datagram came")
		} else if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
	p := make([]byte, 2048)
	control = make([]byte, room)
	var msg sys.Msghdr
	msg.Arm(nil, false, control, true)
	msg.Iov, msg.Iovlen = &sys.Iovec{Base: &p[0], Len: uintptr(len(p))}, 1
	check(t, "recvmsg", sys.Recvmsg(fd, &msg, 0))
	return control[:msg.Controllen], msg.OutFlags()
}

// The kernel understands what is built here, and says what is read here.
func TestKernel(t *testing.T) {
	for name, family := range map[string]int{"IPv4": sys.AFInet, "IPv6": sys.AFInet6} {
		t.Run(name, func(t *testing.T) {
			in, out, at := udp(t, family)
			v6 := family == sys.AFInet6
			options := [][2]int{{LevelIP, IPInfo}, {LevelIP, IPRecvTOS}, {LevelIP, IPRecvTTL}}
			if v6 {
				options = [][2]int{{LevelIPv6, IPv6RecvInfo}, {LevelIPv6, IPv6RecvClass}, {LevelIPv6, IPv6RecvLimit}}
			}
			for _, o := range append(options, [2]int{LevelSocket, TimestampNS}) {
				check(t, "setsockopt", sys.SetsockoptInt(in, o[0], o[1], 1))
			}
			before := time.Now()
			control := AppendInfo(nil, v6, 0, at.Addr())
			control = AppendTOS(control, v6, 2) // ECT(0)
			send(t, out, "datagram", AppendTTL(control, v6, 33))

			var info Info
			var tos, ttl uint8
			var when time.Time
			got, flags := receive(t, in, 256)
			for m, rest, ok := Next(got); ok; m, rest, ok = Next(rest) {
				if v, ok := m.Info(); ok {
					info = v
				}
				if v, ok := m.TOS(); ok {
					tos = v
				}
				if v, ok := m.TTL(); ok {
					ttl = v
				}
				if v, ok := m.Timestamp(); ok {
					when = v
				}
			}
			if info.Dst != at.Addr() || info.Index == 0 || tos != 2 || ttl != 33 || flags != 0 {
				t.Errorf("came to %+v with TOS %#x, TTL %d, flags %#x; want %v, 2, 33, 0", info,
					tos, ttl, flags, at.Addr())
			}
			if d := when.Sub(before); d < -time.Second || d > time.Minute {
				t.Errorf("it came %v after it was sent", d)
			}
		})
	}
}

// UDP_SEGMENT cuts on the way out and UDP_GRO says so on the way in.
func TestKernelSegments(t *testing.T) {
	in, out, _ := udp(t, sys.AFInet)
	if res := sys.SetsockoptInt(in, LevelUDP, GRO, 1); res == -int32(unix.ENOPROTOOPT) {
		t.Skip("no UDP_GRO: a kernel before 5.0")
	}
	send(t, out, "aaaabbbbcc", AppendSegment(nil, 4))
	control, _ := receive(t, in, 64)
	size := 0
	for m, rest, ok := Next(control); ok; m, rest, ok = Next(rest) {
		if v, ok := m.GRO(); ok {
			size = v
		}
	}
	if size != 4 {
		t.Errorf("segments of %d bytes came, want 4 (control %x)", size, control)
	}
}

// The count of drops comes with the first datagram after them.
func TestKernelDrops(t *testing.T) {
	in, out, _ := udp(t, sys.AFInet)
	check(t, "SO_RXQ_OVFL", sys.SetsockoptInt(in, LevelSocket, Overflow, 1))
	check(t, "SO_RCVBUF", sys.SetsockoptInt(in, sys.SolSocket, unix.SO_RCVBUF, 1))
	for range 100 {
		sys.Send(out, make([]byte, 1000), 0)
	}
	drops := uint32(0)
	for i := 0; i < 200 && drops == 0; i++ { // those that found room come first
		if sys.Poll(in, sys.PollIn) == 0 {
			send(t, out, "after", nil)
		}
		control, _ := receive(t, in, 64)
		for m, rest, ok := Next(control); ok; m, rest, ok = Next(rest) {
			if v, ok := m.Drops(); ok {
				drops = v
			}
		}
	}
	if drops == 0 || drops > 100 {
		t.Errorf("%d drops, want some of 100", drops)
	}
}

func TestKernelRights(t *testing.T) {
	a, b, res := sys.Socketpair(unix.SOCK_DGRAM | unix.SOCK_NONBLOCK)
	check(t, "socketpair", res)
	defer sys.Close(a)
	defer sys.Close(b)
	check(t, "SO_PASSCRED", sys.SetsockoptInt(b, LevelSocket, PassCred, 1))
	me := sys.Ucred{PID: int32(os.Getpid()), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	rights := AppendRights(nil, []int32{a, b, a})
	send(t, a, "x", AppendCredentials(rights, me))
	control, flags := receive(t, b, Space(3*4)+Space(CredentialsSize))
	var got []int32
	for m, rest, ok := Next(control); ok; m, rest, ok = Next(rest) {
		for i := range m.FDs() {
			got = append(got, m.FD(i))
		}
		if who, ok := m.Credentials(); ok && who != me {
			t.Errorf("from %+v, want %+v", who, me)
		}
	}
	if len(got) != 3 || flags&sys.MsgCtrunc != 0 {
		t.Fatalf("descriptors %v with flags %#x, want 3", got, flags)
	}
	for _, fd := range got {
		if mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || mode&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d came with flags %#x, %v, want CLOEXEC", fd, mode, err)
		}
	}
	if n := CloseRights(control); n != 3 {
		t.Errorf("closed %d descriptors, want 3", n)
	}
	for _, fd := range got {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
			t.Errorf("descriptor %d is still open", fd)
		}
	}
}

// A buffer with room for fewer descriptors than come: those there are room for come,
// the kernel closes the others, and what is cut is still read safely.
func TestKernelRightsCut(t *testing.T) {
	for room := range Space(3*4) + 1 {
		a, b, res := sys.Socketpair(unix.SOCK_DGRAM | unix.SOCK_NONBLOCK)
		check(t, "socketpair", res)
		send(t, a, "x", AppendRights(nil, []int32{a, b, a}))
		control, flags := receive(t, b, room)
		n := CloseRights(control)
		if n > 3 || n < 3 && flags&sys.MsgCtrunc == 0 {
			t.Errorf("in %d bytes came %d descriptors with flags %#x", room, n, flags)
		}
		sys.Close(a)
		sys.Close(b)
	}
}
