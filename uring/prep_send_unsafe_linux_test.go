//go:build linux

package uring

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// stream is a TCP connection on the loopback: the two ends.
func stream(t *testing.T) (a, b int) {
	t.Helper()
	ln, addr := listener(t)
	a = dial(t, addr)
	b, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, b)
	return a, b
}

// readAll reads exactly the bytes of text.
func readAll(t *testing.T, fd int, text string) {
	t.Helper()
	p := make([]byte, len(text))
	for n := 0; n < len(p); {
		m, err := unix.Read(fd, p[n:])
		if err != nil || m == 0 {
			t.Fatalf("read %q, then %d, %v; want %q", p[:n], m, err, text)
		}
		n += m
	}
	if string(p) != text {
		t.Errorf("read %q, want %q", p, text)
	}
}

// doZC runs a send that does not copy, has the peer read what it should have sent, and returns both CQEs.
func doZC(t *testing.T, r *Ring, peer int, text string, prep func(e *SQE)) (sent, notif CQE) {
	t.Helper()
	tag := start(t, r, prep)
	sent = finish(t, r, tag)
	if sent.Res > 0 {
		readAll(t, peer, text)
	}
	if !sent.More() {
		return sent, notif
	}
	notif = finish(t, r, tag)
	if notif.More() || notif.Flags&CQENotif == 0 {
		t.Errorf("%+v: want the notification", notif)
	}
	return sent, notif
}

func testPollFirst(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	p, text := make([]byte, 8), []byte("hello")
	tag := start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0); e.SetPollFirst() })
	write(t, b, "early")
	want(t, needFlag(t, finish(t, r, tag), "RECVSEND_POLL_FIRST", "5.19"), 5)
	write(t, b, "late")
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, 0); e.SetPollFirst() }), 4)
	want(t, do(t, r, func(e *SQE) { e.PrepSend(a, text, 0); e.SetPollFirst() }), 5)
	readAll(t, b, "hello")
	// It does not try: of what is there MSG_DONTWAIT gets nothing.
	write(t, b, "there")
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_DONTWAIT); e.SetPollFirst() }), syscall.EAGAIN)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_DONTWAIT) }), 5)

	ln, addr := listener(t)
	dial(t, addr)
	fdOf(t, needFlag(t, do(t, r, func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC); e.SetPollFirst() }),
		"ACCEPT_POLL_FIRST", "6.10"))
}

func testDontWait(t *testing.T, r *Ring) {
	ln, addr := listener(t)
	accept := func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC); e.SetDontWait() }
	want(t, needFlag(t, do(t, r, accept), "ACCEPT_DONTWAIT", "6.10"), syscall.EAGAIN)
	dial(t, addr)
	fdOf(t, do(t, r, accept))
}

func testBindListen(t *testing.T, r *Ring) {
	needOp(t, OpBind, "6.11")
	addr := new(sys.Sockaddr)
	addr.Set(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	bound := func(res any) int {
		t.Helper()
		fd := fdOf(t, do(t, r, func(e *SQE) { e.PrepSocket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) }))
		sa, n := addr.Pointer()
		want(t, do(t, r, func(e *SQE) { e.PrepBind(fd, sa, n) }), res)
		return fd
	}
	fd := bound(0)
	want(t, do(t, r, func(e *SQE) { e.PrepListen(fd, 8) }), 0)
	addr = sockname(t, fd)
	dial(t, addr)
	fdOf(t, do(t, r, func(e *SQE) { e.PrepAccept(fd, unix.SOCK_CLOEXEC) }))
	bound(syscall.EADDRINUSE)
	want(t, do(t, r, func(e *SQE) { e.PrepListen(eventfd(t), 8) }), syscall.ENOTSOCK)
}

func testLimitRecv(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(0, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_STREAM)
	tag := start(t, r, func(e *SQE) {
		e.PrepRecvMultishot(a, 0, 0)
		e.LimitRecv(5)
	})
	for _, text := range []string{"one", "two"} {
		write(t, b, text)
		c := finish(t, r, tag)
		if c.More() != (text == "one") || string(bufs.Bytes(c.BufID())[:c.Res]) != text {
			t.Errorf("%q came as %+v", text, c)
		}
	}
}

// inOrder puts together what a bundle brought in the buffers from the first one on, which were lent in the order of
// their ids.
func inOrder(bufs *BufRing, c CQE, size int) string {
	var text []byte
	for id, left := int(c.BufID()), int(c.Res); left > 0; id++ {
		n := min(left, size)
		text = append(text, bufs.Bytes(uint16(id % bufs.Entries()))[:n]...)
		left -= n
	}
	return string(text)
}

// testBundle receives into several buffers and sends from several, each with one CQE.
func testBundle(t *testing.T, r *Ring) {
	if r.Features()&FeatRecvSendBundle == 0 {
		t.Skip(&FeatureError{"RECVSEND_BUNDLE", "6.10"})
	}
	bufs, err := r.BufRing(0, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_STREAM)
	write(t, b, "0123456789")
	var got []string // of a socket that does not tell how much is left the kernel takes less at first
	for len(strings.Join(got, "")) < 10 {
		c := do(t, r, func(e *SQE) { e.PrepRecvSelect(a, 0, 0, 0); e.SetBundle() })
		if c.Res <= 0 {
			t.Fatal(result(c.Res))
		}
		got = append(got, inOrder(bufs, c, 4))
	}
	// Before Linux 6.18 or so it is one buffer there, each time.
	if all := strings.Join(got, ""); all != "0123456789" || len(got[0]) <= 4 && newerThan("6.18") {
		t.Errorf("received %q", got)
	}
	for id := range uint16(3) {
		bufs.Return(id)
	}
	// Lent are now 3, 0, 1 and 2, in this order.
	for id, text := range []string{"abcd", "efgh", "ijkl", "mnop"} {
		copy(bufs.Bytes(uint16(id)), text)
	}
	c := do(t, r, func(e *SQE) { e.PrepSendSelect(b, 0, 0, 0); e.SetBundle() })
	want(t, c, 16)
	if c.BufID() != 3 {
		t.Errorf("the first buffer sent is %d, want 3", c.BufID())
	}
	readAll(t, a, "mnopabcdefghijkl")
	want(t, do(t, r, func(e *SQE) { e.PrepSendSelect(b, 0, 0, 0); e.SetBundle() }), syscall.ENOBUFS)
}

func testSendSelect(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(3, 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	a, b := socketpair(t, unix.SOCK_STREAM)
	copy(bufs.Bytes(0), "zero....")
	copy(bufs.Bytes(1), "one.....")
	c := do(t, r, func(e *SQE) { e.PrepSendSelect(a, 3, 4, 0) })
	if !newerThan("6.10") && (c.Res == -int32(syscall.EINVAL) || c.Res == -int32(syscall.EOPNOTSUPP)) {
		t.Skip(&FeatureError{"SEND of a group", "6.10"})
	}
	want(t, c, 4)
	if c.Flags&CQEBuffer == 0 || c.BufID() != 0 {
		t.Errorf("sent from %+v", c)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepSendSelect(a, 3, 0, 0) }), 8)
	readAll(t, b, "zeroone.....")
	want(t, do(t, r, func(e *SQE) { e.PrepSendSelect(a, 3, 0, 0) }), syscall.ENOBUFS)
}

func testSendv(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	vec, n := vector([]byte("hello, "), []byte("world"))
	want(t, needFlag(t, do(t, r, func(e *SQE) { e.PrepSendv(a, vec, n, 0) }), "SEND_VECTORIZED", "6.17"), 12)
	readAll(t, b, "hello, world")
}

// datagrams is two UDP sockets and the second's address.
func datagrams(t *testing.T) (a, b int, addr *sys.Sockaddr) {
	t.Helper()
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, fd)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	return fds[0], fds[1], sockname(t, fds[1])
}

func testSetAddr(t *testing.T, r *Ring) {
	a, b, addr := datagrams(t)
	text := []byte("hello")
	want(t, do(t, r, func(e *SQE) { e.PrepSend(a, text, 0) }), syscall.EDESTADDRREQ)
	sa, n := addr.Pointer()
	c := do(t, r, func(e *SQE) {
		e.PrepSend(a, text, 0)
		e.SetAddr(sa, uint16(n))
	})
	if !newerThan("6.1") && (c.Res == -int32(syscall.EDESTADDRREQ) || c.Res == -int32(syscall.EINVAL)) {
		t.Skip(&FeatureError{"SEND to an address", "6.1"})
	}
	want(t, c, 5)
	readAll(t, b, "hello")
	if ops, err := r.ProbeOps(); err != nil || !ops.Has(OpSendZC) {
		return
	}
	sent, _ := doZC(t, r, b, "hello", func(e *SQE) {
		e.PrepSendZC(a, text, 0)
		e.SetAddr(sa, uint16(n))
	})
	want(t, sent, 5)
}

func testSendvZC(t *testing.T, r *Ring) {
	needOp(t, OpSendZC, "6.0")
	a, b := stream(t)
	vec, n := vector([]byte("hello, "), []byte("world"))
	sent, _ := doZC(t, r, b, "hello, world", func(e *SQE) { e.PrepSendvZC(a, vec, n, 0) })
	want(t, needFlag(t, sent, "SEND_VECTORIZED", "6.17"), 12)
}

func testSendmsgZC(t *testing.T, r *Ring) {
	needOp(t, OpSendmsgZC, "6.1")
	a, b := stream(t)
	out := message("hello, ", "world")
	sent, notif := doZC(t, r, b, "hello, world", func(e *SQE) { e.PrepSendmsgZC(a, unsafe.Pointer(out.msg), 0) })
	want(t, sent, 12)
	if !sent.More() || notif.Res != 0 {
		t.Errorf("%+v, %+v: want both CQEs", sent, notif)
	}
}

// testSetFixedBuf sends out of a registered buffer: bytes, and the pieces of a message.
func testSetFixedBuf(t *testing.T, r *Ring) {
	needOp(t, OpSendZC, "6.0")
	x, y := stream(t)
	a, b := fixed(t, r)
	copy(a[10:], "hello")
	copy(b[:], "worlds")
	send := func(text string, prep func(e *SQE)) CQE {
		sent, _ := doZC(t, r, y, text, prep)
		return sent
	}
	want(t, send("hello", func(e *SQE) { e.PrepSendZC(x, a[10:15], 0); e.SetFixedBuf(0) }), 5)
	want(t, send("", func(e *SQE) { e.PrepSendZC(x, a[10:15], 0); e.SetFixedBuf(1) }), syscall.EFAULT)
	want(t, send("", func(e *SQE) { e.PrepSendZC(x, a[10:15], 0); e.SetFixedBuf(2) }), syscall.EFAULT)

	var parts [2]syscall.Iovec
	msg := &syscall.Msghdr{Iov: &parts[0], Iovlen: 2}
	for i, p := range [][]byte{b[:3], b[3:5]} {
		parts[i].Base = &p[0]
		parts[i].SetLen(len(p))
	}
	fill := func(e *SQE) { e.PrepSendmsgZC(x, unsafe.Pointer(msg), 0); e.SetFixedBuf(1) }
	want(t, needFlag(t, send("world", fill), "SENDMSG_ZC of a registered buffer", "6.15"), 5)
	vec := unsafe.Pointer(&parts)
	c := send("world", func(e *SQE) { e.PrepSendvZC(x, vec, 2, 0); e.SetFixedBuf(1) })
	if c.Res != 5 { // Linux 6.18 has no such thing
		want(t, c, syscall.EINVAL)
	}
	plain := func(e *SQE) { e.PrepSend(x, a[10:15], 0); e.SetFixedBuf(0) }
	if newerThan("7.2") {
		want(t, do(t, r, plain), 5)
		readAll(t, y, "hello")
	} else if c := do(t, r, plain); c.Res != 5 { // a release between 6.18 and 7.2 has it first
		want(t, c, syscall.EINVAL)
	}
}

// testReportUsage: to a peer on the same machine the kernel copies, and says so.
func testReportUsage(t *testing.T, r *Ring) {
	needOp(t, OpSendZC, "6.0")
	a, b := stream(t)
	text := []byte("hello")
	sent, notif := doZC(t, r, b, "hello", func(e *SQE) { e.PrepSendZC(a, text, 0); e.SetReportUsage() })
	want(t, needFlag(t, sent, "SEND_ZC_REPORT_USAGE", "6.2"), 5)
	if uint32(notif.Res) != NotifCopied {
		t.Errorf("the notification says %#x, want %#x", uint32(notif.Res), NotifCopied)
	}
}

// testRecvZC: no network card here gives its memory away; the kernel says that there is no such queue.
func testRecvZC(t *testing.T, r *Ring) {
	needOp(t, OpRecvZC, "6.15")
	a, _ := stream(t)
	want(t, do(t, r, func(e *SQE) { e.PrepRecvZC(a, 0, 0) }), syscall.EINVAL)
	// What it does is tested with its registration, TestRegister/REGISTER_ZCRX_IFQ.
}
