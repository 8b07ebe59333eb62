package drivertest

import (
	"strings"
	"time"

	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Ops that move data on stream sockets.
var streamCases = []testCase{
	{name: "recv what is there", run: recvThere},
	{name: "recv what comes", run: recvComes},
	{name: "recv the rest", run: recvRest},
	{name: "recv with flags", run: recvPeek},
	{name: "recv the end", run: recvEnd},
	{name: "recv a reset", run: recvReset},
	{name: "recv into a buffer of the pool", run: recvSelected},
	{name: "send", run: sendOne},
	{name: "send comes short", run: sendShort},
	{name: "send waits for room", run: sendWaits},
	{name: "full send to a slow reader", run: sendFullSlow},
	{name: "full send to a reader that leaves", run: sendFullBroken},
	{name: "send to nobody", run: sendEPIPE},
	{name: "send after a reset", run: sendReset},
	{name: "sendmsg", run: sendVector},
	{name: "recvmsg", run: recvVector},
	{name: "recvmsg the end", run: recvVectorEnd},
	{name: "both directions at once", run: bothDirections},
}

// wantBytes waits for a receive into p, and checks that it got these bytes.
func (c *call) wantBytes(p []byte, text string) {
	c.h.Helper()
	c.want(int32(len(text)))
	if got := string(p[:len(text)]); got != text {
		c.h.Fatalf("%s got %q, want %q", c, got, text)
	}
}

func recvThere(h *harness) {
	f, p := h.tcp()
	p.write("hello")
	b := make([]byte, 100)
	h.recv(f, b).submit().wantBytes(b, "hello")
}

func recvComes(h *harness) {
	f, p := h.tcp()
	b := make([]byte, 100)
	c := h.recv(f, b).submit().wantPending()
	p.write("hello")
	c.wantBytes(b, "hello")
}

func recvRest(h *harness) {
	f, p := h.tcp()
	p.write("hello world")
	b := make([]byte, 6)
	h.recv(f, b).submit().wantBytes(b, "hello ")
	h.recv(f, b).submit().wantBytes(b, "world")
}

func recvPeek(h *harness) {
	f, p := h.tcp()
	b := make([]byte, 100)
	c := h.recv(f, b).flags(linux.MSG_PEEK).submit().wantPending()
	p.write("twice")
	c.wantBytes(b, "twice")
	clear(b)
	h.recv(f, b).submit().wantBytes(b, "twice")
}

func recvEnd(h *harness) {
	f, p := h.tcp()
	c := h.recv(f, make([]byte, 8)).submit().wantPending()
	p.shutdown()
	c.want(0)
	h.recv(f, make([]byte, 8)).submit().want(0)
}

func recvReset(h *harness) {
	f, p := h.tcp()
	c := h.recv(f, make([]byte, 8)).submit().wantPending()
	p.reset()
	c.want(-int32(linux.ECONNRESET))
}

func recvSelected(h *harness) {
	f, p := h.tcp()
	c := h.recvSelect(f).submit()
	p.write("selected")
	c.want(8)
	if string(c.data) != "selected" {
		h.Errorf("got %q, want %q", c.data, "selected")
	}
}

func sendOne(h *harness) {
	f, p := h.tcp()
	h.send(f, []byte("hello")).submit().want(5)
	p.want("hello")
}

// smallBuffers makes the room between the ends of a socketpair small and known.
func (h *harness) smallBuffers(f *desc) {
	h.Helper()
	h.checkRes(h.m.Setsockopt(f.Sys(), linux.SOL_SOCKET, linux.SO_SNDBUF, 4096))
}

func sendShort(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	text := pattern(1, 0, 1<<20)
	n := h.send(f, []byte(text)).submit().end()
	if n <= 0 || n >= 1<<20 {
		h.Fatalf("a send of 1 MiB completed with %s, want a short count", show(n))
	}
	p.want(text[:n])
}

func sendWaits(h *harness) {
	f, p := h.pair()
	filled := f.plain().fill()
	c := h.send(f, []byte("after")).submit().wantPending()
	p.take(filled)
	c.want(5)
	p.want("after")
}

// The reader takes a little, lets the driver do what it can, and goes on.
func sendFullSlow(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	text := pattern(2, 0, 300_000)
	c := h.sendFull(f, []byte(text)).submit().wantPending()
	var got strings.Builder
	h.untilPeer("all data of the send", func() bool {
		s, err := p.read(7000)
		h.check(err)
		got.WriteString(s)
		return got.Len() == len(text)
	})
	c.want(int32(len(text)))
	if got.String() != text {
		h.Error("the bytes of a full send did not arrive as they were sent")
	}
}

// The result is what was sent; the error is left for the next op.
func sendFullBroken(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	c := h.sendFull(f, make([]byte, 300_000)).submit().wantPending()
	read := p.drain()
	h.settle()
	p.close()
	if n := c.end(); int(n) < read || n >= 300_000 {
		h.Errorf("a full send completed with %s after %d bytes were read, want what went out", show(n), read)
	}
	if n := h.send(f, make([]byte, 1)).submit().end(); n != -sys.EPIPE && n != -int32(linux.ECONNRESET) {
		h.Errorf("a send after it completed with %s, want an error", show(n))
	}
}

func sendEPIPE(h *harness) {
	f, p := h.pair()
	p.close()
	h.send(f, []byte("hello")).submit().want(-sys.EPIPE)
	h.sendFull(f, []byte("hello")).submit().want(-sys.EPIPE)
	h.sendmsg(f, []byte("hello")).submit().want(-sys.EPIPE)
}

func sendReset(h *harness) {
	f, p := h.tcp()
	p.reset()
	// On a busy machine the reset may take a while.
	if ready := h.m.awaitReady(f.Sys(), 0, 10*time.Second); ready <= 0 {
		h.Fatalf("no reset came: %s", show(ready))
	}
	h.send(f, []byte("hello")).submit().want(-int32(linux.ECONNRESET))
	h.send(f, []byte("hello")).submit().want(-sys.EPIPE)
}

func sendVector(h *harness) {
	f, p := h.tcp()
	h.sendmsg(f, []byte("one "), nil, []byte("two "), []byte("three")).submit().want(13)
	p.want("one two three")
}

func recvVector(h *harness) {
	f, p := h.tcp()
	a, b, rest := make([]byte, 4), make([]byte, 4), make([]byte, 100)
	c := h.recvmsg(f, a, b, rest).submit().wantPending()
	p.write("one two three")
	c.want(13)
	if got := string(a) + string(b) + string(rest[:5]); got != "one two three" {
		h.Errorf("got %q, want %q", got, "one two three")
	}
}

func recvVectorEnd(h *harness) {
	f, p := h.tcp()
	c := h.recvmsg(f, make([]byte, 8)).submit().wantPending()
	p.close()
	c.want(0)
}

// A receive that waits does not hinder a send, nor the other way round.
func bothDirections(h *harness) {
	f, p := h.pair()
	b := make([]byte, 8)
	r := h.recv(f, b).submit().wantPending()
	h.send(f, []byte("out")).submit().want(3)
	p.want("out")
	f.plain().fill()
	s := h.send(f, []byte("x")).submit().wantPending()
	p.write("in")
	r.wantBytes(b, "in")
	h.recv(f, b).submit().wantPending()
	p.drain()
	s.want(1)
}
