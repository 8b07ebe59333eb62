//go:build linux

package uring

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// stream is one connection, whose one end the driver has, and what the model knows
// of it.
type stream struct {
	fd.FD
	id         int
	peer       int
	fed, eaten int    // bytes that the peer wrote, that ops received
	sent, read []byte // what ended sends have sent, what the peer has read
	calls      int
	ended      bool // the peer writes no more
	broken     bool // nor reads
}

// stream makes a socketpair. Its buffers are small, so that sends wait.
func (w *world) stream() *stream {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.Fatal(err)
	}
	return w.streamOf(ends)
}

// tcpStream makes a connection through a listener of its own.
func (w *world) tcpStream() *stream {
	var any, addr sys.Sockaddr
	any.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	l := sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) // whose accept waits
	peer := sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	defer sys.Close(l)
	if sys.Bind(l, &any) < 0 || sys.Listen(l, 1) < 0 || sys.Getsockname(l, &addr) < 0 || sys.Connect(peer, &addr) < 0 {
		w.fail("no connection")
	}
	n := sys.Accept(l)
	if n < 0 || unix.SetNonblock(int(peer), true) != nil {
		w.fail("no connection: %d", n)
	}
	for _, end := range []int32{n, peer} {
		sys.SetLinger(end, true, 0) // leaves no TIME_WAIT, of which there would be thousands
		sys.SetsockoptInt(end, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	return w.streamOf([2]int{int(n), int(peer)})
}

func (w *world) streamOf(ends [2]int) *stream {
	for _, n := range ends {
		if err := unix.SetsockoptInt(n, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
			w.Fatal(err)
		}
	}
	s := &stream{id: len(w.streams), peer: ends[1]}
	s.Init(int32(ends[0]))
	w.streams = append(w.streams, s)
	return s
}

// letter is byte i of what the peer of a stream writes.
func (s *stream) letter(i int) byte { return byte(i*7 + i>>8 + s.id*31) }

// feed has the peer write up to n bytes.
func (s *stream) feed(n int) {
	if s.ended {
		return
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = s.letter(s.fed + i)
	}
	if m, err := unix.Write(s.peer, b); err == nil {
		s.fed += m
	}
}

// drain has the peer read up to n bytes.
func (s *stream) drain(n int) {
	b := make([]byte, n)
	if m, err := unix.Read(s.peer, b); err == nil && !s.broken {
		s.read = append(s.read, b[:m]...)
	}
}

func (w *world) recv(s *stream, n int) *call {
	c := w.op(op.Recv, &s.FD)
	c.in = make([]byte, n)
	c.o.Buf = c.in
	return w.on(s, c)
}

// recvSelect receives into a buffer of the pool: once, or until it ends.
func (w *world) recvSelect(s *stream, flags op.Flags) *call {
	c := w.op(op.Recv, &s.FD)
	c.o.Flags = op.Select | flags
	return w.on(s, c)
}

func (w *world) recvmsg(s *stream, n int) *call {
	c := w.op(op.Recvmsg, &s.FD)
	c.in = make([]byte, n)
	w.slab.Ext(c.o).SetVector([][]byte{c.in[:n/2], c.in[n/2:]})
	return w.on(s, c)
}

func (w *world) read(s *stream, n int) *call {
	c := w.op(op.Read, &s.FD)
	c.in = make([]byte, n)
	c.o.Buf, c.o.Off = c.in, -1
	return w.on(s, c)
}

func (w *world) send(s *stream, code op.Code, n int, flags op.Flags) *call {
	c := w.op(code, &s.FD)
	c.out = make([]byte, n)
	for i := range c.out {
		c.out[i] = byte(i*13 + int(c.o.Token()) + i>>8)
	}
	switch c.o.Flags = flags; code {
	case op.Sendmsg:
		w.slab.Ext(c.o).SetVector([][]byte{c.out[:n/3], c.out[n/3:]})
	case op.Write:
		c.o.Buf, c.o.Off = c.out, -1
	default:
		c.o.Buf = c.out
	}
	return w.on(s, c)
}

func (w *world) poll(s *stream, mask uint32, flags op.Flags) *call {
	c := w.op(op.Poll, &s.FD)
	c.o.Events, c.o.Flags = uint16(mask), flags
	return w.on(s, c)
}

func (w *world) on(s *stream, c *call) *call {
	c.s = s
	s.calls++
	return w.submit(c)
}

// account holds a completion against the model.
func (w *world) account(c *call, res int32, flags uint32) {
	more := flags&op.More != 0
	if c.then != nil {
		w.accountFileOp(c, res)
		return
	}
	if c.s != nil && !more {
		c.s.calls--
	}
	if flags&op.HasBuffer != 0 {
		if res <= 0 || c.o.Flags&op.Select == 0 {
			w.fail("%s completed with %d and a buffer", c, res)
		}
		w.received(c, []byte(w.hold(flags, res, len(w.held) < cap(w.held))))
		return
	}
	if flags&op.Notif != 0 {
		if res != 0 || more || c.got != 2 {
			w.fail("%s has %d as completion %d, a notification", c, res, c.got)
		}
		return
	}
	ours := c.canceled || w.closed
	switch {
	case res == -int32(unix.ECANCELED) && (ours || w.k.Injected(c.token, res)):
	case w.k.Injected(c.token, res):
	case res == -int32(unix.ENOBUFS) && c.o.Flags&op.Select != 0:
	default:
		w.accountOp(c, res, ours)
	}
}

func (w *world) accountOp(c *call, res int32, ours bool) {
	s := c.s
	switch c.o.Code {
	case op.Recv, op.Recvmsg, op.Read:
		switch {
		case c.s == nil:
			w.accountFile(c, res)
		case res > 0 && c.in != nil:
			w.received(c, c.in[:res])
		case res == 0 && s.ended && s.eaten == s.fed:
		case res == -int32(unix.ECONNRESET) && s.broken:
			s.fed = s.eaten
		default:
			w.fail("%s completed with %d; the peer wrote %d bytes (its end: %v), and %d were received before", c, res,
				s.fed, s.ended, s.eaten)
		}
	case op.Send, op.SendZC, op.Sendmsg, op.Write:
		switch {
		case res < 0 && s.broken && (res == -int32(unix.EPIPE) || res == -int32(unix.ECONNRESET)):
		case res <= 0 || int(res) > len(c.out), c.o.Flags&op.Full != 0 && int(res) < len(c.out) && !ours && !s.broken:
			w.fail("%s of %d bytes completed with %d", c, len(c.out), res)
		default:
			s.sent = append(s.sent, c.out[:res]...)
		}
	case op.Poll:
		if res <= 0 || uint32(res)&^(uint32(c.o.Events)|unix.POLLERR|unix.POLLHUP|unix.POLLRDHUP) != 0 {
			w.fail("%s for %#x completed with %#x", c, c.o.Events, res)
		}
	case op.Timeout:
		if res != -int32(unix.ETIME) || w.clock.Now() < c.due {
			w.fail("%s completed with %d, %d ns before its time", c, res, c.due-w.clock.Now())
		}
	case op.Accept:
		w.accountFD(c, res, ours)
	case op.Connect:
		if res != 0 && res != -int32(unix.ECONNRESET) { // whom it came to may be gone by now
			w.fail("%s completed with %d", c, res)
		}
	default: // Nop
		if res != 0 {
			w.fail("%s completed with %d", c, res)
		}
	}
}

// received checks that these are the bytes that come next.
func (w *world) received(c *call, b []byte) {
	s := c.s
	if s.eaten+len(b) > s.fed {
		w.fail("%s got %d bytes after %d, and the peer wrote %d", c, len(b), s.eaten, s.fed)
	}
	for i := range b {
		if b[i] != s.letter(s.eaten+i) {
			w.fail("%s got %d bytes after %d, and byte %d is not what was written", c, len(b), s.eaten, i)
		}
	}
	s.eaten += len(b)
}

// finish reads what is left at both ends: each byte is there once.
func (w *world) finish(s *stream) {
	if s.Busy() {
		w.fail("descriptor %d is held after Close", s.Sys())
	}
	defer unix.Close(s.peer)
	if s.Sys() < 0 {
		return
	}
	defer unix.Close(int(s.Sys()))
	if s.broken {
		return
	}
	for before := -1; before != len(s.read); {
		before = len(s.read)
		s.drain(1 << 16)
	}
	if string(s.read) != string(s.sent) {
		w.fail("stream %d: the peer read %d bytes, and %d were sent, or others", s.id, len(s.read), len(s.sent))
	}
	rest := make([]byte, s.fed-s.eaten+1)
	n := 0
	for {
		m, err := unix.Read(int(s.Sys()), rest[n:])
		if err != nil || m == 0 {
			break
		}
		n += m
	}
	if n != s.fed-s.eaten {
		w.fail("stream %d: %d bytes are left of %d that no op received", s.id, n, s.fed-s.eaten)
	}
	for i, b := range rest[:n] {
		if b != s.letter(s.eaten+i) {
			w.fail("stream %d: byte %d of %d that are left is not what was written", s.id, i, n)
		}
	}
}
