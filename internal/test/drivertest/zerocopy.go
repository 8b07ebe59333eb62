package drivertest

import (
	"strings"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Sends whose memory the kernel may use after they are done. Such an op has two completions, or only one if the driver
// copies.
var zeroCopyCases = []testCase{
	{name: "send", run: zeroCopyOne},
	{name: "on a socket that can't", run: zeroCopyUnix},
	{name: "waits for room", run: zeroCopyWaits},
	{name: "full, to a slow reader", run: zeroCopyFull},
	{name: "full, to a reader that leaves", run: zeroCopyBroken},
	{name: "to nobody", run: zeroCopyNobody},
	{name: "to a half-closed peer", run: zeroCopyHalfClosed},
	{name: "in order with other sends", run: zeroCopyOrder},
	{name: "many at once", run: zeroCopyMany},
	{name: "cancelled in part", run: zeroCopyPartial},
	{name: "unread, by close", run: zeroCopyClose},
}

func (h *harness) sendZC(f *desc, p []byte) *call { return h.op(op.SendZC, f).on(p, 0) }

// sent waits for the end of a send, after which its memory may be written to, and returns its result.
func (c *call) sent() int32 {
	c.h.Helper()
	c.end()
	first, last := c.results[0], c.results[len(c.results)-1]
	switch {
	case len(c.results) == 1 && first.flags&op.Notif == 0:
	case len(c.results) == 2 && first.res >= 0 && first.flags&op.Notif == 0 && last.res == 0 &&
		last.flags&op.Notif != 0:
	default:
		c.h.Fatalf("%s completed with %+v, want a result, or a count and a notification", c, c.results)
	}
	return first.res
}

func (c *call) wantSent(res int32) {
	c.h.Helper()
	if got := c.sent(); got != res {
		c.h.Fatalf("%s sent %s, want %s", c, show(got), show(res))
	}
}

// gather reads at the peer until it has n bytes.
func (p *peer) gather(n int) string {
	p.h.Helper()
	var got strings.Builder
	p.h.untilPeer("the peer's data", func() bool {
		s, err := p.read(n - got.Len())
		p.h.check(err)
		got.WriteString(s)
		return got.Len() == n
	})
	return got.String()
}

func zeroCopyOne(h *harness) {
	f, p := h.tcp()
	text := pattern(70, 0, 40_000)
	b := []byte(text)
	h.sendZC(f, b).submit().wantSent(int32(len(b)))
	clear(b) // the memory is the owner's again, although the peer has not read yet
	if got := p.gather(len(text)); got != text {
		h.Error("the bytes did not arrive as they were when they were sent")
	}
}

func zeroCopyUnix(h *harness) {
	f, p := h.pair()
	h.sendZC(f, []byte("copied")).submit().wantSent(6)
	p.want("copied")
}

// What does not fit waits, and the memory of what was sent stays in use while the peer does not read.
func zeroCopyWaits(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	text := pattern(74, 0, 400_000)
	b := []byte(text)
	c := h.sendZC(f, b).with(op.Full).submit().wantPending()
	if got := p.gather(len(text)); got != text {
		h.Error("the bytes did not arrive as they were sent")
	}
	c.wantSent(int32(len(text)))
	clear(b)
}

func zeroCopyFull(h *harness) {
	for _, connect := range []func() (*desc, *peer){h.tcp, h.pair} {
		f, p := connect()
		h.smallBuffers(f)
		text := pattern(71, 0, 400_000)
		c := h.sendZC(f, []byte(text)).with(op.Full).submit()
		if got := p.gather(len(text)); got != text {
			h.Error("the bytes did not arrive as they were sent")
		}
		c.wantSent(int32(len(text)))
	}
}

func zeroCopyBroken(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	c := h.sendZC(f, make([]byte, 8_000_000)).with(op.Full).submit().wantPending()
	p.gather(10_000)
	p.reset()
	if n := c.sent(); n < 10_000 || n >= 8_000_000 {
		h.Errorf("completed with %s after 10000 bytes were read, want what went out", show(n))
	}
}

func zeroCopyNobody(h *harness) {
	f, p := h.pair()
	p.close()
	h.sendZC(f, []byte("hello")).submit().wantSent(-sys.EPIPE)
	f, _ = h.tcp()
	h.checkRes(h.m.Shutdown(f.Sys(), linux.SHUT_WR))
	h.sendZC(f, []byte("hello")).submit().wantSent(-sys.EPIPE)
}

// Once the peer has ended its side, every wait for room ends at once, without room.
func zeroCopyHalfClosed(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	p.shutdown()
	text := pattern(75, 0, 400_000)
	c := h.sendZC(f, []byte(text)).with(op.Full).submit().wantPending()
	if got := p.gather(len(text)); got != text {
		h.Error("the bytes did not arrive as they were sent")
	}
	c.wantSent(int32(len(text)))
}

// Later sends need not wait until the memory of an earlier one is free, and don't overtake it.
func zeroCopyOrder(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	text := pattern(72, 0, 400_000)
	c := h.sendZC(f, []byte(text)).with(op.Full).submit()
	d := h.send(f, []byte("between")).submit()
	e := h.sendZC(f, []byte("last")).submit()
	if got := p.gather(len(text) + 11); got != text+"betweenlast" {
		h.Error("the sends came out of order")
	}
	c.wantSent(int32(len(text)))
	d.want(7)
	e.wantSent(4)
}

func zeroCopyMany(h *harness) {
	f, p := h.tcp()
	var want strings.Builder
	var calls []*call
	for i := range 50 {
		text := pattern(80+i, 0, 100+i)
		want.WriteString(text)
		calls = append(calls, h.sendZC(f, []byte(text)).with(op.Full).submit())
	}
	if got := p.gather(want.Len()); got != want.String() {
		h.Error("the sends came out of order")
	}
	for i, c := range calls {
		c.wantSent(int32(100 + i))
	}
}

// The result is what was sent before the cancel.
func zeroCopyPartial(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	text := pattern(73, 0, 8_000_000)
	c := h.sendZC(f, []byte(text)).with(op.Full).submit().wantPending()
	c.cancel()
	h.until("a result", func() bool { return len(c.results) > 0 })
	n := int(c.results[0].res)
	if n <= 0 || n >= len(text) {
		h.Fatalf("completed with %s, want what went out", show(int32(n)))
	}
	if got := p.gather(n); got != text[:n] {
		h.Error("the peer got other bytes than went out")
	}
	c.sent()
	h.send(f, []byte("next")).submit().want(4)
	p.want("next")
}

// Close does not wait for a peer that does not read.
func zeroCopyClose(h *harness) {
	f, p := h.tcp()
	h.smallBuffers(f)
	c := h.sendZC(f, make([]byte, 1000)).submit()
	w := h.sendZC(f, make([]byte, 8_000_000)).with(op.Full).submit()
	h.settle()
	h.close()
	if !c.ended || !w.ended {
		return // finish reports it
	}
	if n := c.sent(); n != 1000 {
		h.Errorf("completed with %s, want 1000", show(n))
	}
	if n := w.sent(); n < 0 && n != -sys.ECANCELED || n >= 8_000_000 {
		h.Errorf("completed with %s, want what went out", show(n))
	}
	p.drain()
}
