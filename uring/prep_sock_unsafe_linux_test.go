//go:build linux

package uring

import (
	"net/netip"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepAccept", nil, testAccept},
		prepTest{"PrepAcceptAddr", nil, testAcceptAddr},
		prepTest{"PrepAcceptMultishot", []string{CheckAcceptMultishot}, testAcceptMultishot},
		prepTest{"PrepConnect", nil, testConnect},
		prepTest{"PrepRecv", nil, testRecv},
		prepTest{"PrepRecvSelect", []string{CheckBufRing}, testRecvSelect},
		prepTest{"PrepRecvMultishot", []string{CheckRecvMultishot}, testRecvMultishot},
		prepTest{"PrepSend", nil, testSend},
		prepTest{"PrepSendZC", nil, testSendZC},
		prepTest{"PrepSendmsg", nil, testMsg},
		prepTest{"PrepRecvmsg", nil, testMsg},
		prepTest{"PrepRecvmsgSelect", []string{CheckBufRing}, testRecvmsgSelect},
		prepTest{"PrepRecvmsgMultishot", []string{CheckRecvMultishot}, testRecvmsgMultishot},
		prepTest{"PrepRecvZC", nil, testRecvZC},
		prepTest{"LimitRecv", []string{CheckRecvLimit}, testLimitRecv},
		prepTest{"SetBundle", []string{CheckBufRing}, testBundle},
		prepTest{"SetPollFirst", nil, testPollFirst},
		prepTest{"SetDontWait", nil, testDontWait},
		prepTest{"PrepSendSelect", []string{CheckBufRing}, testSendSelect},
		prepTest{"PrepSendv", nil, testSendv},
		prepTest{"SetAddr", nil, testSetAddr},
		prepTest{"PrepSendvZC", nil, testSendvZC},
		prepTest{"PrepSendmsgZC", nil, testSendmsgZC},
		prepTest{"SetFixedBuf", nil, testSetFixedBuf},
		prepTest{"SetReportUsage", nil, testReportUsage},
		prepTest{"PrepBind", nil, testBindListen},
		prepTest{"PrepListen", nil, testBindListen},
		prepTest{"PrepShutdown", nil, testShutdown},
		prepTest{"PrepSocket", nil, testSocket},
	)
}

// listener makes a TCP listener on the loopback and returns its address as the kernel has it.
func listener(t *testing.T) (fd int, addr *sys.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	return fd, sockname(t, fd)
}

func sockname(t *testing.T, fd int) *sys.Sockaddr {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := sa.(*unix.SockaddrInet4)
	addr := new(sys.Sockaddr)
	addr.Set(netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)))
	return addr
}

// dial connects a new socket without the ring.
func dial(t *testing.T, addr *sys.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	ap := addr.AddrPort()
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func testAccept(t *testing.T, r *Ring) {
	ln, addr := listener(t)
	tag := start(t, r, func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK) })
	peer := dial(t, addr)
	fd := fdOf(t, finish(t, r, tag))
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v: want O_NONBLOCK", flags, err)
	}
	write(t, peer, "x")
	waitReadable(t, fd)
	p := make([]byte, 1)
	if n, err := unix.Read(fd, p); n != 1 || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
}

func testAcceptAddr(t *testing.T, r *Ring) {
	ln, addr := listener(t)
	from := new(syscall.RawSockaddrInet4)
	size := new(uint32)
	*size = uint32(unsafe.Sizeof(*from))
	tag := start(t, r, func(e *SQE) { e.PrepAcceptAddr(ln, unsafe.Pointer(from), size, unix.SOCK_CLOEXEC) })
	peer := dial(t, addr)
	fdOf(t, finish(t, r, tag))
	port := (*[2]byte)(unsafe.Pointer(&from.Port)) // big-endian, whatever the machine
	got := netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(port[0])<<8|uint16(port[1]))
	if want := sockname(t, peer).AddrPort(); got != want || *size != 16 {
		t.Errorf("peer: want %v, got %v (%d bytes)", want, got, *size)
	}
}

func testAcceptMultishot(t *testing.T, r *Ring) {
	ln, addr := listener(t)
	tag := start(t, r, func(e *SQE) { e.PrepAcceptMultishot(ln, unix.SOCK_CLOEXEC) })
	for range 3 {
		dial(t, addr)
		c := finish(t, r, tag)
		fdOf(t, c)
		if !c.More() {
			t.Fatalf("the accept has ended: %+v", c)
		}
	}
	endByRemoval(t, r, tag, (*SQE).PrepCancel)
}

func testConnect(t *testing.T, r *Ring) {
	ln, addr := listener(t)
	connect := func(res any) {
		t.Helper()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, fd)
		sa, n := addr.Pointer()
		want(t, do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) }), res)
	}
	connect(0)
	fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	unix.Close(ln)
	connect(syscall.ECONNREFUSED)
}

func testRecv(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	tag := start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) })
	write(t, b, "hello")
	want(t, finish(t, r, tag), 5)
	if string(p[:5]) != "hello" {
		t.Errorf("got %q", p[:5])
	}
	write(t, b, "longer than p")
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_PEEK) }), 8)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), 8)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), 5)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_DONTWAIT) }), syscall.EAGAIN)
	unix.Shutdown(b, unix.SHUT_WR)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), 0)
}

func testRecvSelect(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(3, 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_STREAM)
	seen := map[uint16]bool{}
	for _, text := range []string{"one", "two"} {
		tag := start(t, r, func(e *SQE) { e.PrepRecvSelect(a, 3, 0, 0) })
		write(t, b, text)
		c := finish(t, r, tag)
		want(t, c, 3)
		if c.Flags&CQEBuffer == 0 || string(bufs.Bytes(c.BufID())[:3]) != text {
			t.Fatalf("want %q, got %q by %+v", text, bufs.Bytes(c.BufID()), c)
		}
		seen[c.BufID()] = true
	}
	write(t, b, "12345")
	want(t, do(t, r, func(e *SQE) { e.PrepRecvSelect(a, 3, 0, 0) }), syscall.ENOBUFS)
	for id := range seen {
		bufs.Return(id)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepRecvSelect(a, 3, 4, 0) }), 4)
	want(t, do(t, r, func(e *SQE) {
		e.PrepRecv(a, nil, 0)
		e.SetBufGroup(3)
	}), 1)
}

func testRecvMultishot(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(0, 2, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_STREAM)
	tag := start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 0, 0) })
	for i := range 10 {
		text := string(rune('a'+i)) + " text"
		write(t, b, text)
		c := finish(t, r, tag)
		if !c.More() || int(c.Res) != len(text) || string(bufs.Bytes(c.BufID())[:c.Res]) != text {
			t.Fatalf("want %q and more, got %q by %+v", text, bufs.Bytes(c.BufID()), c)
		}
		bufs.Return(c.BufID())
	}
	unix.Shutdown(b, unix.SHUT_WR)
	c := finish(t, r, tag)
	if c.Res != 0 || c.More() {
		t.Fatalf("end of stream: want 0 and no more, got %+v", c)
	}
}

func testSend(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	hello := []byte("hello")
	want(t, do(t, r, func(e *SQE) { e.PrepSend(a, hello, 0) }), 5)
	p := make([]byte, 8)
	if n, err := unix.Read(b, p); err != nil || string(p[:n]) != "hello" {
		t.Fatalf("got %q, %v", p[:n], err)
	}
	unix.Close(b)
	want(t, do(t, r, func(e *SQE) { e.PrepSend(a, hello, 0) }), syscall.EPIPE)
}

func testSendZC(t *testing.T, r *Ring) {
	needOp(t, OpSendZC, "6.0")
	ln, addr := listener(t)
	peer := dial(t, addr)
	fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	hello := []byte("hello")
	send := func(fd int, res any) {
		t.Helper()
		tag := start(t, r, func(e *SQE) { e.PrepSendZC(fd, hello, 0) })
		c := finish(t, r, tag)
		if !c.More() || c.Flags&CQENotif != 0 {
			t.Fatalf("%+v: want more", c)
		}
		c.Flags &^= CQEMore
		want(t, c, res)
		p := make([]byte, 8) // the kernel may hold on to the bytes till they are read
		if n, err := unix.Read(peer, p); c.Res > 0 && (err != nil || string(p[:n]) != "hello") {
			t.Errorf("the peer reads %q, %v", p[:n], err)
		}
		if c := finish(t, r, tag); c.More() || c.Flags&CQENotif == 0 || c.Res != 0 {
			t.Errorf("%+v: want the notification", c)
		}
	}
	send(fd, 5)
	unix.Shutdown(fd, unix.SHUT_WR)
	send(fd, syscall.EPIPE)
}

// testMsg sends from two pieces and receives into two others.
func testMsg(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_SEQPACKET)
	out, in := message("hello, ", "world"), message("....", "..........")
	want(t, do(t, r, func(e *SQE) { e.PrepSendmsg(a, unsafe.Pointer(out.msg), 0) }), 12)
	want(t, do(t, r, func(e *SQE) { e.PrepRecvmsg(b, unsafe.Pointer(in.msg), 0) }), 12)
	if got := string(in.parts[0]) + string(in.parts[1]); got != "hello, world.." {
		t.Errorf("got %q", got)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepSendmsg(a, unsafe.Pointer(out.msg), 0) }), 12)
	in.msg.Iovlen = 1
	want(t, do(t, r, func(e *SQE) { e.PrepRecvmsg(b, unsafe.Pointer(in.msg), 0) }), 4)
	if in.msg.Flags&unix.MSG_TRUNC == 0 {
		t.Errorf("flags %#x: the kernel did not write MSG_TRUNC", in.msg.Flags)
	}
}

func testRecvmsgSelect(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(0, 2, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_SEQPACKET)
	msg := new(sys.Msghdr)
	tag := start(t, r, func(e *SQE) { e.PrepRecvmsgSelect(a, unsafe.Pointer(msg), 0, 0) })
	write(t, b, "longer than a buffer")
	c := finish(t, r, tag)
	if c.More() || c.Res != 16 || string(bufs.Bytes(c.BufID())) != "longer than a bu" || msg.Flags&unix.MSG_TRUNC == 0 {
		t.Errorf("%+v with flags %#x", c, msg.Flags)
	}
}

func testRecvmsgMultishot(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(0, 4, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_SEQPACKET)
	msg := &sys.Msghdr{Namelen: 8, Controllen: 16}
	tag := start(t, r, func(e *SQE) { e.PrepRecvmsgMultishot(a, unsafe.Pointer(msg), 0, 0) })
	receive := func(more bool) Message {
		t.Helper()
		c := finish(t, r, tag)
		if c.More() != more || c.Flags&CQEBuffer == 0 || c.Res < 0 {
			t.Fatalf("%+v: want a buffer, and more: %v", c, more)
		}
		m, ok := ParseRecvmsg(bufs.Bytes(c.BufID())[:c.Res], 8, 16)
		if !ok {
			t.Fatalf("%x is no message", bufs.Bytes(c.BufID())[:c.Res])
		}
		bufs.Return(c.BufID())
		return m
	}
	const fits = 64 - RecvmsgHeader - 8 - 16
	for _, text := range []string{"one", "more than there is room for", "two"} {
		write(t, b, text)
		m := receive(true)
		if cut := m.Flags&unix.MSG_TRUNC != 0; string(m.Payload) != text[:min(len(text), fits)] ||
			cut != (len(text) > fits) || m.Size != len(m.Payload) {
			t.Errorf("%q came as %+v", text, m)
		}
	}
	unix.Close(b)
	if m := receive(false); len(m.Payload) != 0 || len(m.Name) != 0 {
		t.Errorf("the end came as %+v", m)
	}
}

type testMessage struct {
	parts [2][]byte
	iov   [2]syscall.Iovec
	msg   *syscall.Msghdr
}

func message(first, second string) *testMessage {
	m := &testMessage{parts: [2][]byte{[]byte(first), []byte(second)}, msg: new(syscall.Msghdr)}
	for i, p := range m.parts {
		m.iov[i].Base = &p[0]
		m.iov[i].SetLen(len(p))
	}
	m.msg.Iov = &m.iov[0]
	m.msg.Iovlen = 2
	return m
}

func testShutdown(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	want(t, do(t, r, func(e *SQE) { e.PrepShutdown(a, unix.SHUT_WR) }), 0)
	if n, err := unix.Read(b, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("peer reads %d, %v: want the end", n, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepShutdown(eventfd(t), unix.SHUT_WR) }), syscall.ENOTSOCK)
}

func testSocket(t *testing.T, r *Ring) {
	needOp(t, OpSocket, "5.19")
	fd := fdOf(t, do(t, r, func(e *SQE) { e.PrepSocket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) }))
	if typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ != unix.SOCK_DGRAM {
		t.Errorf("type %d, %v: want a datagram socket", typ, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepSocket(9999, unix.SOCK_DGRAM, 0) }), syscall.EAFNOSUPPORT)
}
