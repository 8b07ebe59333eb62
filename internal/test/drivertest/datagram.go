package drivertest

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Messages: each arrives whole, with its sender's address and its control messages.
var datagramCases = []testCase{
	{name: "of all sizes", run: datagramSizes},
	{name: "received before it is sent", run: datagramEarly},
	{name: "longer than its buffer", run: datagramTruncated},
	{name: "an empty one is no end", run: datagramEmpty},
	{name: "to nobody, connected", run: datagramRefused},
	{name: "TOS both ways", run: datagramTOS},
	{name: "TOS and all else, of IPv6", run: datagramControls6},
	{name: "more control messages than there is room for", run: datagramControlCut},
	{name: "between Unix sockets", run: datagramUnix},
	{name: "without a sender's name", run: datagramUnnamed},
	{name: "to a socket that is full", run: datagramFull},
	{name: "seqpacket", run: datagramSeqpacket},
	{name: "seqpacket the end", run: datagramSeqpacketEnd},
	{name: "too long to send", run: datagramTooLong},
	{name: "passes descriptors", run: datagramRights},
	{name: "passes descriptors to an op that is cancelled", run: datagramRightsCanceled},
	{name: "passes descriptors to nobody", run: datagramRightsUntaken},
}

// message is a recvmsg, and what it returned besides its result.
type message struct {
	*call
	from    sys.Sockaddr
	control []byte
	flags   uint32
}

// recvFrom receives a message with its sender and room for control messages.
func (h *harness) recvFrom(f *desc, room int, parts ...[]byte) *message {
	m := &message{call: h.recvmsg(f, parts...)}
	x := h.slab.Ext(m.o)
	x.Named, x.Control = true, make([]byte, room)
	m.onEnd = func(o *op.Op, res int32) {
		if res >= 0 {
			m.from, m.control, m.flags = *o.Ext.Sender(), bytes.Clone(o.Ext.Received()), o.Ext.MsgFlags()
		}
	}
	return m
}

// sendTo sends a message; a nil to means over the connection.
func (h *harness) sendTo(f *desc, to *sys.Sockaddr, control []byte, parts ...[]byte) *call {
	c := h.sendmsg(f, parts...)
	x := h.slab.Ext(c.o)
	if to != nil {
		x.Named, x.Addr = true, *to
	}
	x.Control = control
	return c
}

// udp makes a UDP socket for the driver and a peer that is connected to it, and returns both addresses.
func (h *harness) udp() (f *desc, p *peer, here, there *sys.Sockaddr) {
	h.Helper()
	here, there = new(sys.Sockaddr), new(sys.Sockaddr)
	f, p = h.desc(h.udpSocket(here)), h.peer(h.udpSocket(there))
	h.checkRes(h.m.Connect(p.n, here))
	return f, p, here, there
}

// udpSocket makes a UDP socket with a free port, and stores its address in addr.
func (h *harness) udpSocket(addr *sys.Sockaddr) int32 {
	h.Helper()
	n := h.m.Socket(linux.AF_INET, linux.SOCK_DGRAM, 0)
	h.checkRes(n)
	addr.Set(loopback)
	h.checkRes(h.m.Bind(n, addr))
	h.checkRes(h.m.Getsockname(n, addr))
	return n
}

// wantFrom checks the sender of a message.
func (m *message) wantFrom(want *sys.Sockaddr) {
	m.h.Helper()
	if got := m.from.AddrPort(); got != want.AddrPort() {
		m.h.Errorf("a message came from %v, want %v", got, want.AddrPort())
	}
}

// datagram reads one message at the peer; it must be there or on its way.
func (p *peer) datagram(max int) string {
	p.h.Helper()
	b, n := make([]byte, max), int32(0)
	p.h.untilPeer("a datagram at the peer", func() bool {
		if n = p.h.m.read(p.n, b); n == -sys.EAGAIN {
			return false
		}
		p.h.checkRes(n)
		return true
	})
	return string(b[:n])
}

func datagramSizes(h *harness) {
	const most = 65507 // the largest payload in IPv4's 64 KiB
	f, p, _, there := h.udp()
	b := make([]byte, most+1)
	for i, size := range []int{0, 1, 1200, most} {
		text := pattern(40+i, 0, size)
		m := h.recvFrom(f, 0, b[:10], b[10:])
		m.submit()
		if size == 0 {
			h.checkRes(h.m.send(p.n, nil, 0))
		} else {
			p.write(text)
		}
		m.wantBytes(b, text)
		m.wantFrom(there)
		if m.flags != 0 {
			h.Errorf("%d bytes were received with flags %#x", size, m.flags)
		}
		h.sendTo(f, there, nil, []byte(text)).submit().want(int32(size))
		if got := p.datagram(most + 1); got != text {
			h.Errorf("the peer got %s, want %s", abbreviate(got), abbreviate(text))
		}
	}
}

func datagramEarly(h *harness) {
	f, p, _, there := h.udp()
	b := make([]byte, 16)
	m := h.recvFrom(f, 0, b)
	m.submit().wantPending()
	p.write("later")
	m.wantBytes(b, "later")
	m.wantFrom(there)
}

// The part that did not fit is lost, which the flags report; the next message is whole.
func datagramTruncated(h *harness) {
	f, p, _, there := h.udp()
	p.write("longer than that")
	p.write("next")
	b := make([]byte, 6)
	m := h.recvFrom(f, 0, b)
	m.submit()
	m.wantBytes(b, "longer")
	if m.wantFrom(there); m.flags&sys.MsgTrunc == 0 {
		h.Errorf("flags %#x, want MSG_TRUNC", m.flags)
	}
	n := h.recvFrom(f, 0, b)
	n.submit()
	n.wantBytes(b, "next")
	if n.flags&sys.MsgTrunc != 0 {
		h.Error("MSG_TRUNC for a message that fits")
	}
}

func datagramEmpty(h *harness) {
	f, p, _, there := h.udp()
	h.checkRes(h.m.send(p.n, nil, 0))
	p.write("more")
	b := make([]byte, 8)
	m := h.recvFrom(f, 0, b)
	m.submit()
	m.want(0)
	m.wantFrom(there)
	h.recv(f, b).submit().wantBytes(b, "more")
}

// The answer to a datagram that reached no socket is an error of the sending socket, for any op that waits on it.
func datagramRefused(h *harness) {
	f, p, _, there := h.udp()
	h.checkRes(h.m.Connect(f.Sys(), there))
	p.close()
	b := make([]byte, 8)
	m := h.recvFrom(f, 0, b)
	m.submit().wantPending()
	h.send(f, b).submit().want(8)
	m.want(-sys.ECONNREFUSED)
	h.recv(f, b).submit().wantPending().wantCanceled()
}

func datagramTOS(h *harness) {
	f, p, _, there := h.udp()
	h.checkRes(h.m.Setsockopt(f.Sys(), cmsg.LevelIP, cmsg.IPRecvTOS, 1))
	h.checkRes(h.m.Setsockopt(p.n, cmsg.LevelIP, cmsg.IPTOS, 1)) // ECT(1)
	b := make([]byte, 8)
	p.write("in")
	m := h.recvFrom(f, cmsg.Space(cmsg.IntSize), b)
	m.submit()
	m.wantBytes(b, "in")
	if tos := h.tosOf(m.control); tos != 1 {
		h.Errorf("TOS %#x came, want 1", tos)
	}
	h.checkRes(h.m.Setsockopt(p.n, cmsg.LevelIP, cmsg.IPRecvTOS, 1))
	h.sendTo(f, there, cmsg.AppendTOS(nil, false, 3), []byte("out")).submit().want(3)
	control := make([]byte, 64)
	h.untilPeer("a datagram at the peer", func() bool {
		n, controls := h.m.recvmsg(p.n, b, control)
		control = control[:controls]
		return n >= 0
	})
	if tos := h.tosOf(control); tos != 3 {
		h.Errorf("TOS %#x went out, want 3", tos)
	}
}

// tosOf returns the TOS in control messages, or 255 if there is none.
func (h *harness) tosOf(control []byte) uint8 {
	for m, rest, ok := cmsg.Next(control); ok; m, rest, ok = cmsg.Next(rest) {
		if tos, ok := m.TOS(); ok {
			return tos
		}
	}
	return 255
}

func datagramControls6(h *harness) {
	var here, there sys.Sockaddr
	f, p := h.desc(h.udpSocket6(&here)), h.peer(h.udpSocket6(&there))
	h.checkRes(h.m.Connect(p.n, &here))
	for _, o := range [][2]int{{cmsg.LevelIPv6, cmsg.IPv6RecvInfo}, {cmsg.LevelIPv6, cmsg.IPv6RecvLimit},
		{cmsg.LevelIPv6, cmsg.IPv6RecvClass}, {cmsg.LevelSocket, cmsg.TimestampNS}} {
		h.checkRes(h.m.Setsockopt(f.Sys(), o[0], o[1], 1))
	}
	h.checkRes(h.m.Setsockopt(p.n, cmsg.LevelIPv6, cmsg.IPv6Class, 2))
	b := make([]byte, 8)
	p.write("in")
	m := h.recvFrom(f, 256, b)
	m.submit()
	m.wantBytes(b, "in")
	m.wantFrom(&there)
	told := 0
	for c, rest, ok := cmsg.Next(m.control); ok; c, rest, ok = cmsg.Next(rest) {
		info, isInfo := c.Info()
		ttl, isTTL := c.TTL()
		at, isTime := c.Timestamp()
		switch {
		case isInfo && info.Dst == here.AddrPort().Addr() && info.Index > 0, isTTL && ttl > 0,
			isTime && at.Year() > 2000:
			told++
		}
	}
	if tos := h.tosOf(m.control); tos != 2 || told != 3 {
		h.Errorf("TOS %#x came, want 2, and %d of 3 other messages were right: %x", tos, told, m.control)
	}
	p.write("cut")
	m = h.recvFrom(f, cmsg.Space(cmsg.IntSize), b)
	m.submit()
	m.wantBytes(b, "cut")
	if m.flags&sys.MsgCtrunc == 0 {
		h.Errorf("flags %#x, want MSG_CTRUNC", m.flags)
	}
}

// udpSocket6 is udpSocket over IPv6; it skips the case where there is none.
func (h *harness) udpSocket6(addr *sys.Sockaddr) int32 {
	h.Helper()
	n := h.m.Socket(linux.AF_INET6, linux.SOCK_DGRAM, 0)
	if n == -int32(linux.EAFNOSUPPORT) {
		h.Skip("no IPv6 here")
	}
	h.checkRes(n)
	addr.Set(netip.MustParseAddrPort("[::1]:0"))
	if res := h.m.Bind(n, addr); res == -sys.EADDRNOTAVAIL {
		h.m.Close(n)
		h.Skip("no address of IPv6 here")
	} else {
		h.checkRes(res)
	}
	h.checkRes(h.m.Getsockname(n, addr))
	return n
}

func datagramControlCut(h *harness) {
	f, p, _, _ := h.udp()
	h.checkRes(h.m.Setsockopt(f.Sys(), cmsg.LevelIP, cmsg.IPInfo, 1))
	b := make([]byte, 8)
	for _, room := range []int{0, 5, cmsg.HeaderSize, cmsg.Space(cmsg.Info4Size)} {
		p.write("data")
		m := h.recvFrom(f, room, b)
		m.submit()
		m.wantBytes(b, "data")
		if cut := m.flags&sys.MsgCtrunc != 0; cut != (room < cmsg.Space(cmsg.Info4Size)) || len(m.control) > room {
			h.Errorf("room for %d bytes: %d came, MSG_CTRUNC %v", room, len(m.control), cut)
		}
	}
}

// unixName returns an unused name for a Unix socket.
func (h *harness) unixName() *sys.Sockaddr {
	h.Helper()
	path := h.m.socketName(h.T)
	name := new(sys.Sockaddr)
	if !name.SetUnix(path) {
		h.Fatalf("drivertest: %s is too long a name", path)
	}
	return name
}

// unixSocket makes a Unix datagram socket with a name, or without one if name is nil.
func (h *harness) unixSocket(name *sys.Sockaddr) int32 {
	h.Helper()
	n := h.m.Socket(linux.AF_UNIX, linux.SOCK_DGRAM, 0)
	h.checkRes(n)
	if name != nil {
		h.checkRes(h.m.Bind(n, name))
	}
	return n
}

func datagramUnix(h *harness) {
	var abstract sys.Sockaddr
	abstract.SetUnix("") // the kernel chooses one
	here := h.unixName()
	f, p := h.desc(h.unixSocket(here)), h.peer(h.unixSocket(&abstract))
	h.checkRes(h.m.Getsockname(p.n, &abstract))
	h.checkRes(h.m.Connect(p.n, here))
	want, _ := abstract.Unix()
	b := make([]byte, 16)
	m := h.recvFrom(f, 0, b)
	m.submit().wantPending()
	p.write("hello")
	m.wantBytes(b, "hello")
	if got, ok := m.from.Unix(); !ok || got != want || !strings.HasPrefix(want, "@") {
		h.Errorf("a message came from %q, %v, want %q", got, ok, want)
	}
	h.sendTo(f, &m.from, nil, []byte("back")).submit().want(4)
	if got := p.datagram(16); got != "back" {
		h.Errorf("the peer got %q", got)
	}
}

func datagramUnnamed(h *harness) {
	here := h.unixName()
	f, p := h.desc(h.unixSocket(here)), h.peer(h.unixSocket(nil))
	h.checkRes(h.m.Connect(p.n, here))
	p.write("who")
	b := make([]byte, 16)
	m := h.recvFrom(f, 0, b)
	h.slab.Ext(m.o).Addr.SetUnix("/what was there before")
	m.submit()
	m.wantBytes(b, "who")
	if name, ok := m.from.Unix(); ok || m.from.Len() != 0 {
		h.Errorf("a message without a sender came from %q (%d bytes)", name, m.from.Len())
	}
	h.sendTo(f, here, nil, []byte("self")).submit().want(4) // a socket with a name can send to itself
	m = h.recvFrom(f, 0, b)
	m.submit()
	m.wantBytes(b, "self")
	if got, _ := m.from.Unix(); got == "" {
		h.Error("a message with a sender came without its name")
	}
}

// Without a connection the sending socket always seems to have room.
func datagramFull(h *harness) {
	there := h.unixName()
	f, p := h.desc(h.unixSocket(nil)), h.peer(h.unixSocket(there))
	filled := 0
	for ; ; filled++ {
		res := h.m.call(opOn(op.Sendmsg, f.Sys(), func(o *op.Op) {
			o.Ext = &op.Ext{Named: true, Addr: *there}
			o.Ext.SetVector([][]byte{[]byte("filled")})
		}))
		if res == -sys.EAGAIN {
			break
		}
		h.checkRes(res)
	}
	c := h.sendTo(f, there, nil, []byte("after")).submit().wantPending()
	before := h.d.Info().Stats.Enters
	h.wait(h.now() + int64(50*time.Millisecond))
	if n := h.d.Info().Stats.Enters - before; n > 100 {
		h.Errorf("it entered the kernel %d times in 50 ms in which nothing happened", n)
	}
	for range filled {
		p.datagram(10)
	}
	c.want(5)
	if got := p.datagram(10); got != "after" {
		h.Errorf("the peer got %q", got)
	}
}

// messagePair makes connected Unix sockets of a type that keeps messages apart, or streams.
func (h *harness) messagePair(typ int) (*desc, *peer) {
	h.Helper()
	a, b, res := h.m.Socketpair(typ)
	h.checkRes(res)
	return h.desc(a), h.peer(b)
}

func datagramSeqpacket(h *harness) {
	f, p := h.messagePair(linux.SOCK_SEQPACKET)
	p.write("one")
	p.write("two")
	b := make([]byte, 100)
	h.recvmsg(f, b).submit().wantBytes(b, "one")
	h.recv(f, b).submit().wantBytes(b, "two")
	m := h.recvFrom(f, 0, b[:2])
	m.submit().wantPending()
	p.write("cut")
	m.wantBytes(b, "cu")
	if m.flags&sys.MsgTrunc == 0 {
		h.Errorf("flags %#x, want MSG_TRUNC", m.flags)
	}
	h.sendmsg(f, []byte("fo"), []byte("ur")).submit().want(4)
	h.send(f, []byte("five")).submit().want(4)
	if one, two := p.datagram(100), p.datagram(100); one != "four" || two != "five" {
		h.Errorf("the peer got %q and %q", one, two)
	}
}

func datagramSeqpacketEnd(h *harness) {
	f, p := h.messagePair(linux.SOCK_SEQPACKET)
	m := h.recvmsg(f, make([]byte, 8)).submit().wantPending()
	p.close()
	m.want(0)
	h.sendmsg(f, []byte("late")).submit().want(-sys.EPIPE)
}

func datagramTooLong(h *harness) {
	f, _, _, there := h.udp()
	h.sendTo(f, there, nil, make([]byte, 65508)).submit().want(-sys.EMSGSIZE)
}

// pass sends text with two new descriptors, and returns the inode of the first one's file.
func (p *peer) pass(text string) (ino uint64) {
	h := p.h
	h.Helper()
	r, w := h.pipe()
	ino, res := h.m.identity(r.Sys())
	h.checkRes(res)
	h.checkRes(h.m.sendmsg(p.n, []byte(text), cmsg.AppendRights(nil, []int32{r.Sys(), w.Sys()})))
	return ino
}

// closeRights closes the descriptors in control messages, and returns how many there were.
func (h *harness) closeRights(control []byte) (n int) {
	h.Helper()
	for m, rest, ok := cmsg.Next(control); ok; m, rest, ok = cmsg.Next(rest) {
		for i := range m.FDs() {
			h.checkRes(h.m.Close(m.FD(i)))
			n++
		}
	}
	return n
}

func datagramRights(h *harness) {
	for _, typ := range []int{linux.SOCK_STREAM, linux.SOCK_DGRAM, linux.SOCK_SEQPACKET} {
		f, p := h.messagePair(typ)
		b := make([]byte, 8)
		m := h.recvFrom(f, cmsg.Space(2*4), b)
		m.submit().wantPending()
		ino := p.pass("take")
		m.wantBytes(b, "take")
		r, _, _ := cmsg.Next(m.control)
		if r.FDs() != 2 {
			h.Fatalf("%d descriptors came, want 2 (control %x)", r.FDs(), m.control)
		}
		for i := range 2 {
			d := h.desc(r.FD(i))
			got, res := h.m.identity(d.Sys())
			h.checkRes(res)
			if got != ino {
				h.Errorf("another file came than was sent")
			}
			h.loopFlags(d)
		}
		h.sendTo(f, nil, cmsg.AppendRights(nil, []int32{f.Sys()}), []byte("back")).submit().want(4)
		control := make([]byte, cmsg.Space(4))
		n, controls := h.m.recvmsg(p.n, b, control)
		h.checkRes(n)
		if n := h.closeRights(control[:controls]); n != 1 {
			h.Errorf("the peer got %d descriptors, want 1", n)
		}
	}
}

// Descriptors that a cancelled op has received are its owner's to close; those that it has not are left for the next
// op.
func datagramRightsCanceled(h *harness) {
	f, p := h.messagePair(linux.SOCK_DGRAM)
	b := make([]byte, 8)
	for i := range 20 {
		m := h.recvFrom(f, cmsg.Space(2*4), b)
		m.submit()
		if i%2 == 0 {
			m.wantPending()
		}
		p.pass("x")
		m.cancel()
		if m.end() == -sys.ECANCELED {
			m = h.recvFrom(f, cmsg.Space(2*4), b)
			m.submit()
			m.wantBytes(b, "x")
		}
		if n := h.closeRights(m.control); n != 2 {
			h.Fatalf("%d descriptors came, want 2", n)
		}
	}
}

// Where a receive has no room for descriptors, the kernel closes them, whatever kind of receive it is.
func datagramRightsUntaken(h *harness) {
	f, p := h.messagePair(linux.SOCK_DGRAM)
	b := make([]byte, 8)
	p.pass("none")
	h.recvmsg(f, b).submit().wantBytes(b, "none")
	p.pass("none")
	h.recv(f, b).submit().wantBytes(b, "none")
	p.pass("left") // still in the queue when the socket is closed
	h.settle()
}
