package drivertest

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Readiness is reported once and must not be lost.
var readyCases = []testCase{
	{name: "data and the end in one event", run: dataAndEnd},
	{name: "data and a reset in one event", run: dataAndReset},
	{name: "an urgent byte in between", run: urgentByte},
	{name: "half-closed peer reads on", run: halfClosed},
	{name: "half-closed peer lets a send sleep", run: halfClosedSleep},
	{name: "data that came while nobody waited", run: whileNobodyWaited},
	{name: "room that came while nobody waited", run: roomWhileNobodyWaited},
	{name: "duplicates", run: duplicates},
	{name: "peer on another thread", run: pingPong},
	{name: "what nobody waits for costs nothing", run: idleReadiness},
}

// A short read does not prove that nothing follows.
func dataAndEnd(h *harness) {
	for _, armed := range []bool{true, false} {
		for _, tcp := range []bool{true, false} {
			f, p := h.pair()
			if tcp {
				f, p = h.tcp()
			}
			b := make([]byte, 16)
			c := h.recv(f, b)
			if armed {
				c.submit().wantPending()
			}
			p.write("last")
			p.close()
			if !armed {
				c.submit()
			}
			c.wantBytes(b, "last")
			h.recv(f, b).submit().want(0)
		}
	}
}

func dataAndReset(h *harness) {
	f, p := h.tcp()
	b := make([]byte, 16)
	c := h.recv(f, b).submit().wantPending()
	p.write("lost")
	p.reset()
	if res := c.end(); res != 4 && res != -int32(linux.ECONNRESET) {
		h.Errorf("%s completed with %s, want the data or a reset", c, show(res))
	}
	if res := h.recv(f, b).submit().end(); res != 0 && res != -int32(linux.ECONNRESET) {
		h.Errorf("a receive after a reset completed with %s", show(res))
	}
}

// The receive stops at the urgent byte, and no event announces the bytes after it.
func urgentByte(h *harness) {
	f, p := h.tcp()
	b := make([]byte, 16)
	c := h.recv(f, b).submit().wantPending()
	p.write("before")
	h.checkRes(h.m.send(p.n, []byte("!"), linux.MSG_OOB))
	p.write("after")
	got := ""
	for {
		n := c.end()
		if n <= 0 {
			h.Fatalf("%s completed with %s", c, show(n))
		}
		if got += string(b[:n]); len(got) >= len("beforeafter") {
			break
		}
		c = h.recv(f, b).submit()
	}
	if got != "beforeafter" {
		h.Errorf("got %q, want %q", got, "beforeafter")
	}
}

// The end of one direction is an event for the other direction as well, and says nothing about that one.
func halfClosed(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	p.shutdown()
	text := pattern(10, 0, 50_000)
	s := h.sendFull(f, []byte(text)).submit()
	h.recv(f, make([]byte, 8)).submit().want(0)
	p.want(text)
	s.want(int32(len(text)))
}

// A half-close stays an event for as long as the socket lives, and makes no room.
func halfClosedSleep(h *harness) {
	f, p := h.pair()
	f.plain().fill()
	p.shutdown()
	room := h.op(op.Room, f).submit().wantPending()
	h.sleepsIdly()
	c := h.send(f, []byte("after")).submit().wantPending()
	h.sleepsIdly()
	p.drain()
	room.wantMask(sys.PollOut)
	c.want(5)
}

func whileNobodyWaited(h *harness) {
	f, p := h.pair()
	b := make([]byte, 4)
	h.recv(f, b).submit().wantPending().wantCanceled()
	for range 10 {
		p.write("unasked")
		h.settle()
		h.recv(f, b).submit().wantBytes(b, "unas")
		h.settle()
		h.recv(f, b).submit().wantBytes(b, "ked")
	}
}

func roomWhileNobodyWaited(h *harness) {
	f, p := h.pair()
	f.plain().fill()
	h.send(f, make([]byte, 1)).submit().wantPending().wantCanceled()
	p.drain()
	h.settle()
	h.send(f, make([]byte, 1)).submit().want(1)
}

// Two numbers of one socket are two descriptors, and one of them may be closed.
func duplicates(h *harness) {
	f, p := h.pair()
	g := h.duplicate(f)
	first, second := h.poll(f, sys.PollIn).submit(), h.poll(g, sys.PollIn).submit()
	h.settle()
	p.write("x")
	first.wantMask(sys.PollIn)
	second.wantMask(sys.PollIn)
	h.closeDesc(f)
	b := make([]byte, 4)
	h.recv(g, b).submit().wantBytes(b, "x")
	c := h.recv(g, b).submit().wantPending()
	p.write("y")
	c.wantBytes(b, "y")
}

// The answer ends the Wait at whatever moment it comes: before the driver decides to sleep, while it does, or after.
func pingPong(h *harness) {
	rounds := scaled(1000)
	f, p := h.tcp()
	n, failed := p.n, int32(0)
	h.checkRes(h.m.block(n))
	join := h.m.beside(func() {
		b := make([]byte, 1)
		for i := range rounds {
			if failed = h.m.awaitRead(n, b); failed != 1 {
				return
			}
			for range i % 50 {
				h.m.pass()
			}
			if failed = h.m.awaitWrite(n, b); failed < 0 {
				return
			}
		}
	})
	b := make([]byte, 1)
	for range rounds {
		r := h.recv(f, b).submit()
		h.send(f, []byte{1}).submit()
		for !r.ended {
			h.wait(driver.Forever)
		}
		r.want(1)
	}
	if join(); failed != 1 {
		h.Errorf("the peer's last call gave %s", show(failed))
	}
}

// A socket whose end no op has asked for stays ready for ever. It must not keep the loop awake.
func idleReadiness(h *harness) {
	f, p := h.pair()
	h.recv(f, make([]byte, 8)).submit().wantPending().wantCanceled()
	p.write("unasked")
	p.close()
	h.settle()
	h.sleepsIdly()
}

// sleepsIdly checks that Waits in which nothing happens give up the processor and use little of it.
func (h *harness) sleepsIdly() {
	h.Helper()
	const span = 20 * time.Millisecond
	if wrong := h.m.idles(func() { h.wait(h.now() + int64(span)) }, span); wrong != "" {
		h.Error(wrong)
	}
}
