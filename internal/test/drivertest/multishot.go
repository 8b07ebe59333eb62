package drivertest

import (
	"slices"

	"ringo/internal/sys"
	"ringo/internal/test/linux"
	"ringo/uring"
)

// One op with many completions: all but the last one have More.
var multishotCases = []testCase{
	{name: "accept", run: multiAccept},
	{name: "accept a backlog", run: multiAcceptBacklog},
	{name: "accept until the listener ends", run: multiAcceptShutdown},
	{name: "accept until there are no descriptors", run: multiAcceptEMFILE},
	{name: "recv", run: multiRecv},
	{name: "recv more than a buffer", size: 16, buffers: 64, run: multiRecvSplit},
	{name: "recv so much and no more", size: 16, buffers: 64, run: multiRecvLimit},
	{name: "recv until the end", run: multiRecvEnd},
	{name: "recv data and the end at once", run: multiRecvDataEnd},
	{name: "recv until a reset", run: multiRecvReset},
	{name: "recv again after cancel", run: multiRecvAgain},
	{name: "many completions in one wait", buffers: 256, size: 16, run: multiRecvMany},
}

func multiAccept(h *harness) {
	l, addr := h.listen(8)
	c := h.acceptMulti(l).submit().wantPending()
	for range 3 {
		p := h.dial(addr)
		h.connected(h.desc(c.wantMore()), p)
		c.wantPending()
	}
	c.wantCanceled()
}

// accepted takes n connections from a multishot accept. The driver may end the op meanwhile; then its owner submits it
// again.
func (h *harness) accepted(l *desc, c *call, n int) (*call, []*desc) {
	h.Helper()
	var fds []*desc
	for len(fds) < n {
		r := c.next()
		if r.res < 0 {
			h.Fatalf("%s completed with %s", c, show(r.res))
		}
		fds = append(fds, h.desc(r.res))
		if !r.more() {
			c = h.acceptMulti(l).submit()
		}
	}
	return c, fds
}

func multiAcceptBacklog(h *harness) {
	const n = 40
	l, addr := h.listen(n)
	for range n / 2 {
		h.dial(addr)
	}
	c := h.acceptMulti(l).submit()
	for range n / 2 {
		h.dial(addr)
	}
	c, fds := h.accepted(l, c, n)
	if len(fds) != n {
		h.Errorf("%d connections, want %d", len(fds), n)
	}
	c.wantPending()
}

func multiAcceptShutdown(h *harness) {
	l, addr := h.listen(8)
	c := h.acceptMulti(l).submit()
	h.dial(addr)
	h.desc(c.wantMore())
	h.checkRes(h.m.Shutdown(l.Sys(), linux.SHUT_RDWR))
	c.wantLast(-sys.EINVAL)
}

// A connection that found no descriptor is there for the next accept.
func multiAcceptEMFILE(h *harness) {
	l, addr := h.listen(8)
	p := h.dial(addr)
	restore := h.noMoreFDs()
	defer restore()
	c := h.acceptMulti(l).submit()
	c.wantLast(-sys.EMFILE)
	restore()
	c = h.acceptMulti(l).submit()
	h.connected(h.desc(c.wantMore()), p)
	q := h.dial(addr)
	h.connected(h.desc(c.wantMore()), q)
}

func multiRecv(h *harness) {
	f, p := h.tcp()
	c := h.recvMulti(f).submit().wantPending()
	for range 5 {
		p.write("again ")
		if n := c.wantMore(); n != 6 {
			h.Errorf("got %d bytes, want 6", n)
		}
		c.wantPending()
	}
	if string(c.data) != "again again again again again " {
		h.Errorf("got %q", c.data)
	}
	c.wantCanceled()
}

// On a driver that can limit a receive, the op returns no more than its limit, apart from what fits into its last
// buffer. The rest is there for the next receive.
func multiRecvLimit(h *harness) {
	const limit, size = 200, 16
	f, p := h.pair()
	text := pattern(6, 0, 800)
	p.write(text)
	got := ""
	for len(got) < len(text) {
		c := h.recvMulti(f).limit(limit).submit()
		h.until("the limit, or all", func() bool { return c.ended || len(got)+len(c.data) >= len(text) })
		got += string(c.data)
		if len(c.data) >= limit+size && slices.Contains(h.d.Info().Features, uring.CheckRecvLimit) {
			h.Errorf("a receive with a limit of %d brought %d bytes", limit, len(c.data))
		}
	}
	if got != text {
		h.Errorf("%d bytes came, or others than the %d that were sent", len(got), len(text))
	}
}

// untilData waits until a multishot receive has got n bytes.
func (c *call) untilData(n int) {
	c.h.Helper()
	c.h.until("more data", func() bool { return len(c.data) >= n || c.ended })
	if len(c.data) != n {
		c.h.Fatalf("%s got %d bytes, want %d (last result %s)", c, len(c.data), n,
			show(c.results[len(c.results)-1].res))
	}
	for c.shown < len(c.results) && c.results[c.shown].res > 0 {
		c.shown++
	}
}

func multiRecvSplit(h *harness) {
	f, p := h.pair()
	c := h.recvMulti(f).submit().wantPending()
	text := pattern(6, 0, 100)
	p.write(text)
	c.untilData(100)
	if string(c.data) != text {
		h.Error("the bytes did not come as they were sent")
	}
	c.wantPending()
}

func multiRecvEnd(h *harness) {
	f, p := h.tcp()
	c := h.recvMulti(f).submit().wantPending()
	p.write("last")
	c.untilData(4)
	p.shutdown()
	c.wantLast(0)
	h.recvMulti(f).submit().wantLast(0)
}

// If the end comes with the data, no further readiness announces it.
func multiRecvDataEnd(h *harness) {
	for _, armed := range []bool{false, true} {
		f, p := h.pair()
		c := h.recvMulti(f)
		if armed {
			c.submit().wantPending()
		}
		p.write("data")
		p.close()
		if !armed {
			c.submit()
		}
		c.untilData(4)
		c.wantLast(0)
	}
}

func multiRecvReset(h *harness) {
	f, p := h.tcp()
	c := h.recvMulti(f).submit().wantPending()
	p.reset()
	c.wantLast(-int32(linux.ECONNRESET))
}

func multiRecvAgain(h *harness) {
	f, p := h.pair()
	for range 10 {
		c := h.recvMulti(f).submit().wantPending()
		p.write("once")
		c.untilData(4)
		c.wantCanceled()
	}
}

// More completions at once than a small ring has room for. It may end a multishot op for that reason, but it must not
// lose or swap anything.
func multiRecvMany(h *harness) {
	const streams, each = 8, 20
	f, p, calls := make([]*desc, streams), make([]*peer, streams), make([]*call, streams)
	got := make([][]byte, streams)
	for i := range f {
		f[i], p[i] = h.pair()
		calls[i] = h.recvMulti(f[i]).submit().wantPending()
	}
	for i := range p {
		p[i].write(pattern(i, 0, each*16))
	}
	for i := range f {
		for len(got[i])+len(calls[i].data) < each*16 {
			if calls[i].ended {
				h.resumed(calls[i])
				got[i] = append(got[i], calls[i].data...)
				calls[i] = h.recvMulti(f[i]).submit()
			}
			h.wait(h.now() + 1e6)
		}
		got[i] = append(got[i], calls[i].data...)
		if at := mismatch(got[i], i, 0); at >= 0 || len(got[i]) != each*16 {
			h.Errorf("stream %d: %d bytes, the first wrong one at %d", i, len(got[i]), at)
		}
	}
}

// resumed fails the case if a multishot receive ended for a reason that another submit doesn't cure.
func (h *harness) resumed(c *call) {
	h.Helper()
	if last := c.end(); last <= 0 && last != -sys.ENOBUFS {
		h.Fatalf("%s ended with %s", c, show(last))
	}
}
