package drivertest

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// waiting is a kind of op that waits until it is cancelled: how to make one, and how to check that it did nothing and
// left everything as it was.
type waiting struct {
	name string
	make func(h *harness) (c *call, intact func())
}

var waitingKinds = []waiting{
	{"accept", func(h *harness) (*call, func()) { return waitingAccept(h, (*harness).accept) }},
	{"multishot accept", func(h *harness) (*call, func()) { return waitingAccept(h, (*harness).acceptMulti) }},
	{"connect", waitingConnect},
	{"recv", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call { return h.recv(f, make([]byte, 8)) })
	}},
	{"selecting recv", func(h *harness) (*call, func()) { return waitingRecv(h, h.recvSelect) }},
	{"multishot recv", func(h *harness) (*call, func()) { return waitingRecv(h, h.recvMulti) }},
	{"recvmsg", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call { return h.recvmsg(f, make([]byte, 8)) })
	}},
	{"recvmmsg", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call {
			b, _ := room(2, 8)
			return h.recvBatch(f, b)
		})
	}},
	{"sendmmsg", func(h *harness) (*call, func()) {
		return waitingSend(h, func(f *desc) *call {
			b := sys.NewBatch(1)
			b.Set(0, []byte("unsent"))
			return h.sendBatch(f, b)
		})
	}},
	{"zero-copy send", func(h *harness) (*call, func()) {
		return waitingSend(h, func(f *desc) *call { return h.sendZC(f, []byte("unsent")) })
	}},
	{"splice(in)", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call {
			_, w := h.pipe()
			return h.spliceIn(f, w, 100)
		})
	}},
	{"splice(out)", func(h *harness) (*call, func()) {
		h.fullMeansFull()
		return waitingSend(h, func(f *desc) *call {
			r, w := h.pipe()
			w.plain().write("unsent")
			return h.spliceOut(r, f, 100)
		})
	}},
	{"sendfile", func(h *harness) (*call, func()) {
		h.fullMeansFull()
		return waitingSend(h, func(f *desc) *call { return h.sendfile(f, h.file("unsent"), 0, 6) })
	}},
	{"room", func(h *harness) (*call, func()) {
		h.fullMeansFull()
		return waitingSend(h, func(f *desc) *call { return h.op(op.Room, f) })
	}},
	{"send", func(h *harness) (*call, func()) {
		return waitingSend(h, func(f *desc) *call { return h.send(f, []byte("unsent")) })
	}},
	{"full send", func(h *harness) (*call, func()) {
		return waitingSend(h, func(f *desc) *call { return h.sendFull(f, []byte("unsent")) })
	}},
	{"sendmsg", func(h *harness) (*call, func()) {
		return waitingSend(h, func(f *desc) *call { return h.sendmsg(f, []byte("un"), []byte("sent")) })
	}},
	{"poll", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call { return h.poll(f, sys.PollIn) })
	}},
	{"multishot poll", func(h *harness) (*call, func()) {
		return waitingRecv(h, func(f *desc) *call { return h.pollMulti(f, sys.PollIn) })
	}},
	{"timeout", func(h *harness) (*call, func()) { return h.timeout(time.Hour), func() {} }},
	{"read", waitingRead},
	{"write", waitingWrite},
}

func waitingAccept(h *harness, accept func(*harness, *desc) *call) (*call, func()) {
	l, addr := h.listen(8)
	return accept(h, l), func() {
		p := h.dial(addr)
		n := int32(-1)
		h.untilPeer("a connection in the backlog", func() bool {
			n = h.m.accept(l.Sys())
			return n >= 0
		})
		h.connected(h.desc(n), p)
	}
}

// waitingConnect connects to a listener whose backlog is full.
func waitingConnect(h *harness) (*call, func()) {
	_, addr := h.listen(0)
	for range 4 {
		h.dial(addr)
	}
	f := h.desc(h.tcpSocket())
	return h.connect(f, addr), func() {
		var peer sys.Sockaddr
		if res := h.m.Getpeername(f.Sys(), &peer); res != -int32(linux.ENOTCONN) {
			h.Errorf("the socket is connected: %s", show(res))
		}
	}
}

func waitingRecv(h *harness, recv func(*desc) *call) (*call, func()) {
	f, p := h.pair()
	return recv(f), func() {
		p.write("kept")
		b := make([]byte, 8)
		h.recv(f, b).submit().wantBytes(b, "kept")
	}
}

func waitingSend(h *harness, send func(*desc) *call) (*call, func()) {
	f, p := h.pair()
	filled := f.plain().fill()
	return send(f), func() {
		if n := p.drain(); n != filled {
			h.Errorf("%d bytes were sent by an op that was cancelled", n-filled)
		}
		h.send(f, []byte("next")).submit().want(4)
		p.want("next")
	}
}

func waitingRead(h *harness) (*call, func()) {
	r, w := h.pipe()
	return h.read(r, make([]byte, 8), atPosition), func() {
		w.plain().write("kept")
		b := make([]byte, 8)
		h.read(r, b, atPosition).submit().wantBytes(b, "kept")
	}
}

func waitingWrite(h *harness) (*call, func()) {
	r, w := h.pipe()
	filled := w.plain().fill()
	return h.write(w, []byte("unwritten"), atPosition), func() {
		if n := r.plain().drain(); n != filled {
			h.Errorf("%d bytes were written by an op that was cancelled", n-filled)
		}
		h.write(w, []byte("next"), atPosition).submit().want(4)
		r.plain().want("next")
	}
}

// moments are the points of an op's life at which it is cancelled. Some of them close the driver instead.
var moments = []struct {
	name   string
	cancel func(h *harness, c *call)
}{
	{"before the first wait", func(h *harness, c *call) { c.submit().cancel() }},
	{"in flight", func(h *harness, c *call) { c.submit().wantPending().cancel() }},
	{"twice", func(h *harness, c *call) { c.submit().wantPending().cancel().cancel() }},
	{"past capacity", func(h *harness, c *call) {
		h.overfill()
		c.submit().cancel()
	}},
	{"and close", func(h *harness, c *call) { c.submit().wantPending().cancel(); h.close() }},
	{"by close", func(h *harness, c *call) { c.submit().wantPending(); h.close() }},
	{"by close before the first wait", func(h *harness, c *call) { c.submit(); h.close() }},
}

// cancelCases returns a case for each kind of op at each moment, and the cases that do not fit into that table.
func cancelCases() (cases []testCase) {
	for _, m := range moments {
		for _, k := range waitingKinds {
			cases = append(cases, testCase{name: m.name + ": " + k.name, run: func(h *harness) {
				c, intact := k.make(h)
				m.cancel(h, c)
				if h.closed && !c.ended {
					return // finish reports it
				}
				c.want(-sys.ECANCELED)
				if !h.closed {
					h.settle()
					intact()
				}
			}})
		}
	}
	return append(cases,
		testCase{name: "a full send that went in part", run: func(h *harness) {
			cancelPartial(h, func(c *call) { c.cancel() })
		}},
		testCase{name: "a full send that went in part: by close", run: func(h *harness) {
			cancelPartial(h, func(*call) { h.close() })
		}},
		testCase{name: "a send to a half-closed peer", run: func(h *harness) {
			cancelHalfClosed(h, func(c *call) { c.cancel() })
		}},
		testCase{name: "a send to a half-closed peer: by close", run: func(h *harness) {
			cancelHalfClosed(h, func(*call) { h.close() })
		}},
		testCase{name: "a full write that went in part", run: cancelPartialWrite},
		testCase{name: "what is done at once", run: cancelImmediate},
		testCase{name: "what was produced and not collected", run: cancelProduced},
		testCase{name: "a descriptor that was produced", run: cancelProducedFD},
		testCase{name: "a multishot with completions", run: cancelMultiProduced},
		testCase{name: "a kept accept", run: func(h *harness) { cancelKept(h, func(c *call) { c.cancel() }) }},
		testCase{name: "a kept accept: by close", run: func(h *harness) { cancelKept(h, func(*call) { h.close() }) }},
		testCase{name: "a file's read", run: cancelFileRead},
		testCase{name: "one of two on a descriptor", run: cancelOneOfTwo},
	)
}

// The result is what was sent before the cancel: without it the owner could not continue the stream.
func cancelPartial(h *harness, cancel func(c *call)) {
	f, p := h.pair()
	h.smallBuffers(f)
	text := pattern(13, 0, 200_000)
	c := h.sendFull(f, []byte(text)).submit().wantPending()
	read := p.drain()
	c.wantPending()
	cancel(c)
	n := int(c.end())
	if n < read || n >= len(text) {
		h.Fatalf("completed with %s after %d bytes were read, want what went out", show(int32(n)), read)
	}
	if n -= read; n > 0 {
		b := make([]byte, n)
		if m := h.m.read(p.n, b); int(m) != n || mismatch(b, 13, read) >= 0 {
			h.Errorf("the peer read %s bytes of %d that went out, or others", show(m), n)
		}
	}
	if more := p.drain(); more != 0 {
		h.Errorf("%d bytes more were sent than the result says", more)
	}
}

// When the peer has ended its side, that is an event for every wait on the socket. io_uring therefore goes round in a
// circle with a send that waits for room: it tries, waits, is woken by that event, and tries again. A cancel at the
// wrong moment of this circle does not find the op.
func cancelHalfClosed(h *harness, cancel func(c *call)) {
	for range 20 {
		f, p := h.pair()
		f.plain().fill()
		p.shutdown()
		c := h.send(f, make([]byte, 8)).submit().wantPending()
		cancel(c)
		if h.closed && !c.ended {
			return // finish reports it
		}
		if c.want(-sys.ECANCELED); h.closed {
			return
		}
	}
}

func cancelPartialWrite(h *harness) {
	r, w := h.pipe()
	c := h.write(w, make([]byte, 200_000), atPosition).with(op.Full).submit().wantPending()
	c.cancel()
	if n := int(c.end()); n <= 0 || n != r.plain().drain() {
		h.Errorf("completed with %s, want the count of what can be read", show(int32(n)))
	}
}

// The op has its own result or that of the cancel, and only one of them.
func cancelImmediate(h *harness) {
	l, addr := h.listen(8)
	for range 20 {
		f, p := h.pair()
		p.write("x")
		h.dial(addr)
		for _, c := range []*call{
			h.nop(), h.timeout(0), h.poll(f, sys.PollIn), h.recv(f, make([]byte, 8)),
		} {
			c.submit().cancel()
			if res := c.end(); res < 0 && res != -sys.ECANCELED && res != -sys.ETIME || len(c.results) != 1 {
				h.Errorf("%s completed %d times, with %s", c, len(c.results), show(res))
			}
		}
		h.accept(l).submit().wantCanceled()
	}
}

// overfill submits more ops than there is room for, so that a driver with a queue has to enter the kernel at once,
// where it also collects completions that no Wait has asked for.
func (h *harness) overfill() {
	for range 2*h.entries + 1 {
		h.nop().submit()
	}
}

// The event has happened and the driver may know it, but no Wait has reported it yet.
func cancelProduced(h *harness) {
	f, p := h.pair()
	b := make([]byte, 8)
	for i := range 50 {
		c := h.recv(f, b).submit().wantPending()
		p.write("data")
		if i%10 == 0 {
			h.overfill()
		}
		c.cancel()
		switch res := c.end(); res {
		case 4:
		case -sys.ECANCELED:
			h.recv(f, b).submit().wantBytes(b, "data")
		default:
			h.Fatalf("%s completed with %s", c, show(res))
		}
	}
}

// The driver closes the accepted descriptor; finish finds any that it forgot.
func cancelProducedFD(h *harness) {
	l, addr := h.listen(64)
	for i := range 10 {
		accept := h.accept
		if i%2 == 0 {
			accept = h.acceptMulti
		}
		c := accept(l).submit().wantPending()
		h.dial(addr)
		h.overfill()
		c.wantCanceled()
		for left := h.m.accept(l.Sys()); left >= 0; left = h.m.accept(l.Sys()) {
			h.desc(left)
		}
	}
}

func cancelMultiProduced(h *harness) {
	f, p := h.pair()
	b := make([]byte, 8)
	for range 50 {
		c := h.recvMulti(f).submit().wantPending()
		p.write("data")
		c.cancel()
		if res := c.end(); res != -sys.ECANCELED && res <= 0 {
			h.Fatalf("%s ended with %s", c, show(res))
		}
		if len(c.data) == 0 {
			h.recv(f, b).submit().wantBytes(b, "data")
		} else if string(c.data) != "data" {
			h.Fatalf("%s got %q, want %q", c, c.data, "data")
		}
	}
}

// No peer of a cancelled accept with op.Keep is turned away: either the op returns its connection, or it stays in the
// backlog.
func cancelKept(h *harness, cancel func(c *call)) {
	for i := range 20 {
		l, addr := h.listen(64)
		accept := h.accept
		if i%2 == 0 {
			accept = h.acceptMulti
		}
		c := accept(l).with(op.Keep).submit().wantPending()
		for range 3 {
			h.dial(addr)
		}
		cancel(c)
		if h.closed && !c.ended {
			return // finish reports it
		}
		c.end()
		if n := h.peersOf(l, c, 3); n != 3 {
			h.Errorf("3 peers came, and %d were accepted or are in the backlog (the op ended with %s)", n,
				show(c.end()))
		}
		if h.closed {
			return
		}
	}
}

// peersOf counts the connections that an accept returned and those that it left in the backlog. If there are fewer than
// want, the others may be on their way: a connect returns before the last segment of its handshake has reached the
// backlog.
func (h *harness) peersOf(l *desc, c *call, want int) (n int) {
	for _, r := range c.results {
		if r.res >= 0 {
			h.desc(r.res)
			n++
		}
	}
	for limit := h.now() + int64(longest(h.m)); h.now() < limit; h.m.pass() {
		for left := h.m.accept(l.Sys()); left >= 0; left = h.m.accept(l.Sys()) {
			h.desc(left)
			n++
		}
		if n >= want {
			break
		}
	}
	return n
}

// A call that may wait for a disk can't be cancelled once it has begun.
func cancelFileRead(h *harness) {
	f := h.file("content")
	for range 20 {
		b := make([]byte, 8)
		c := h.read(f, b, 0).submit().cancel()
		if res := c.end(); res != -sys.ECANCELED {
			c.wantBytes(b, "content")
		}
	}
}

func cancelOneOfTwo(h *harness) {
	f, p := h.pair()
	for range 10 {
		first, second := h.poll(f, sys.PollIn).submit(), h.poll(f, sys.PollIn).submit()
		r := h.recv(f, make([]byte, 8)).submit().wantPending()
		first.wantCanceled()
		second.wantPending()
		p.write("x")
		second.wantMask(sys.PollIn)
		r.want(1)
	}
}
