//go:build linux

package drivertest

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"

	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Messages into buffers of the pool, from one op.
var messageCases = []testCase{
	{name: "one by one", buffers: 16, size: 512, run: messagesOneByOne},
	{name: "many at once", buffers: 64, size: 512, run: messagesMany},
	{name: "of nothing", buffers: 16, size: 512, run: messagesEmpty},
	{name: "longer than a buffer", buffers: 16, size: 512, run: messagesTruncated},
	{name: "with TOS", buffers: 16, size: 512, run: messagesTOS},
	{name: "without a sender's name", buffers: 16, size: 512, run: messagesUnnamed},
	{name: "until the end", buffers: 16, size: 512, run: messagesEnd},
	{name: "until an error", buffers: 16, size: 512, run: messagesRefused},
	{name: "with descriptors", buffers: 16, size: 512, run: messagesRights},
	{name: "when the pool is dry", buffers: 2, size: 512, run: messagesDry},
	{name: "into buffers that are too small", buffers: 4, size: 64, run: messagesTooSmall},
	{name: "one, into a buffer of the pool", buffers: 16, size: 512, run: messageSelected},
}

// received is one message of a multishot recvmsg, copied out of its buffer.
type received struct {
	text    string
	from    sys.Sockaddr
	control []byte
	flags   uint32
}

func (c *call) takeMessage(b []byte) {
	m, ok := c.o.Message(b)
	if !ok {
		c.h.Errorf("%s gave %d bytes that are no message: %x", c, len(b), b)
		return
	}
	r := received{text: string(m.Payload), control: bytes.Clone(m.Control), flags: m.Flags &^ sys.MsgCmsgCloexec}
	r.from.SetBytes(m.Name)
	c.messages = append(c.messages, r)
}

// resume submits a multishot recvmsg anew if it has ended, which any may at any time.
func (c *call) resume() *call {
	if !c.ended {
		return c
	}
	again := c.h.op(op.Recvmsg, c.desc).with(op.Select | op.Multishot)
	x := c.h.slab.Ext(again.o)
	x.Named, x.Room = true, cmsg.Space(8)
	again.messages = c.messages
	return again.submit()
}

// untilMessages waits until a multishot recvmsg has got so many in all.
func (c *call) untilMessages(n int) *call {
	c.h.Helper()
	for len(c.messages) < n {
		c.h.until(fmt.Sprint(n, " messages"), func() bool { return len(c.messages) >= n || c.ended })
		if c.ended {
			c.h.resumed(c)
			c = c.resume()
		}
	}
	if len(c.messages) != n {
		c.h.Fatalf("%s got %d messages, want %d", c, len(c.messages), n)
	}
	return c
}

func (h *harness) wantMessage(m received, text string, from *sys.Sockaddr) {
	h.Helper()
	if m.text != text || from != nil && m.from.AddrPort() != from.AddrPort() {
		h.Fatalf("message %q from %v, want %q", m.text, m.from.AddrPort(), text)
	}
}

func messagesOneByOne(h *harness) {
	f, p, _, there := h.udp()
	c := h.recvmsgMulti(f, uint32(cmsg.Space(8))).submit().wantPending()
	for i := range 5 {
		text := fmt.Sprint("message ", i)
		p.write(text)
		c = c.untilMessages(i + 1)
		h.wantMessage(c.messages[i], text, there)
		if m := c.messages[i]; m.flags != 0 || len(m.control) != 0 {
			h.Errorf("flags %#x, control %x, want none", m.flags, m.control)
		}
	}
	h.settle()
	c.resume().wantCanceled()
}

func messagesMany(h *harness) {
	const n = 40
	f, p, _, there := h.udp()
	for i := range n / 2 {
		p.write(fmt.Sprint("message ", i))
	}
	c := h.recvmsgMulti(f, uint32(cmsg.Space(8))).submit()
	for i := n / 2; i < n; i++ {
		p.write(fmt.Sprint("message ", i))
	}
	c = c.untilMessages(n)
	for i, m := range c.messages {
		h.wantMessage(m, fmt.Sprint("message ", i), there)
	}
}

// A message of no bytes is one all the same, though it may be the op's last.
func messagesEmpty(h *harness) {
	f, p, _, there := h.udp()
	c := h.recvmsgMulti(f, uint32(cmsg.Space(8))).submit().wantPending()
	for i := range 3 {
		h.check(unix.Send(p.n, nil, 0))
		c = c.untilMessages(2*i + 1).resume()
		h.wantMessage(c.messages[2*i], "", there)
		p.write("more")
		c = c.untilMessages(2*i + 2)
		h.wantMessage(c.messages[2*i+1], "more", there)
	}
}

func messagesTruncated(h *harness) {
	f, p, _, there := h.udp()
	c := h.recvmsgMulti(f, uint32(cmsg.Space(8))).submit()
	fits := 512 - c.o.Front()
	text := pattern(60, 0, fits+100)
	for i, size := range []int{fits, fits + 1, fits + 100, 1} {
		p.write(text[:size])
		c = c.untilMessages(i + 1)
		h.wantMessage(c.messages[i], text[:min(size, fits)], there)
		if cut := c.messages[i].flags&sys.MsgTrunc != 0; cut != (size > fits) {
			h.Errorf("%d bytes where %d fit: flags %#x", size, fits, c.messages[i].flags)
		}
	}
}

func messagesTOS(h *harness) {
	f, p, _, _ := h.udp()
	h.checkRes(sys.SetsockoptInt(f.Sys(), cmsg.LevelIP, cmsg.IPRecvTOS, 1))
	c := h.recvmsgMulti(f, uint32(cmsg.Space(8))).submit()
	for tos := range 4 {
		h.checkRes(sys.SetsockoptInt(int32(p.n), cmsg.LevelIP, cmsg.IPTOS, tos))
		p.write("data")
		c = c.untilMessages(tos + 1)
		if got := h.tosOf(c.messages[tos].control); int(got) != tos {
			h.Errorf("TOS %#x came, want %#x", got, tos)
		}
	}
}

func messagesUnnamed(h *harness) {
	here := h.unixName()
	f, p := h.desc(h.unixSocket(here)), h.peer(h.unixSocket(nil))
	h.checkRes(sys.Connect(int32(p.n), here))
	c := h.recvmsgMulti(f, 0).submit().wantPending()
	p.write("who")
	c = c.untilMessages(1)
	h.wantMessage(c.messages[0], "who", nil)
	if n := c.messages[0].from.Len(); n != 0 {
		h.Errorf("the sender has no name, and it is %d bytes long", n)
	}
}

// The end is a message of nothing, as the last one.
func messagesEnd(h *harness) {
	f, p := h.messagePair(unix.SOCK_SEQPACKET)
	c := h.recvmsgMulti(f, 0).submit().wantPending()
	p.write("last")
	c = c.untilMessages(1).resume()
	p.close()
	c.end()
	if len(c.messages) != 2 || c.messages[1].text != "" {
		h.Errorf("messages %+v, want one and the end", c.messages)
	}
}

func messagesRefused(h *harness) {
	f, p, _, there := h.udp()
	h.checkRes(sys.Connect(f.Sys(), there))
	p.close()
	c := h.recvmsgMulti(f, 0).submit().wantPending()
	h.send(f, []byte("x")).submit().want(1)
	c.wantLast(-sys.ECONNREFUSED)
}

func messagesRights(h *harness) {
	f, p := h.messagePair(unix.SOCK_DGRAM)
	c := h.recvmsgMulti(f, uint32(cmsg.Space(2*4))).submit().wantPending()
	p.pass("take")
	c = c.untilMessages(1)
	r, _, _ := cmsg.Next(c.messages[0].control)
	for i := range r.FDs() {
		h.loopFlags(h.desc(int(r.FD(i))))
	}
	if r.FDs() != 2 {
		h.Errorf("%d descriptors came, want 2", r.FDs())
	}
}

// Nothing is lost: what found no buffer is there for the next.
func messagesDry(h *harness) {
	f, p := h.messagePair(unix.SOCK_DGRAM)
	h.keep = true
	for i := range 4 {
		p.write(fmt.Sprint("message ", i))
	}
	c := h.recvmsgMulti(f, 0).submit()
	for ; c.end() != -sys.ENOBUFS; c = c.resume() {
		if last := c.end(); last < 0 {
			h.Fatalf("%s ended with %s", c, show(last))
		}
	}
	h.keep = false
	h.giveBack()
	c = c.resume().untilMessages(4)
	for i, m := range c.messages {
		h.wantMessage(m, fmt.Sprint("message ", i), nil)
	}
}

func messagesTooSmall(h *harness) {
	f, p, _, _ := h.udp()
	p.write("data")
	c := h.recvmsgMulti(f, 0).submit()
	c.wantLast(-sys.EFAULT)
}

func messageSelected(h *harness) {
	f, p, _, there := h.udp()
	var from sys.Sockaddr
	c := h.recvmsgSelect(f)
	c.onEnd = func(o *op.Op, _ int32) { from = *o.Ext.Sender() }
	c.submit().wantPending()
	p.write("selected")
	c.want(8)
	if string(c.data) != "selected" || from.AddrPort() != there.AddrPort() {
		h.Errorf("%q came from %v, want %q from %v", c.data, from.AddrPort(), "selected", there.AddrPort())
	}
	h.check(unix.Send(p.n, nil, 0))
	h.recvmsgSelect(f).submit().want(0)
}
