package drivertest

import "ringo/internal/sys"

// Slots, descriptor numbers and generations are used again. What comes late must not be taken for what came after.
var staleCases = []testCase{
	{name: "slot of a cancelled op", run: staleSlot},
	{name: "slot of a cancelled multishot", run: staleMultishot},
	{name: "cancel that came too late", run: staleCancel},
	{name: "number of a closed descriptor", run: func(h *harness) { staleNumber(h, (*harness).recvByte) }},
	{name: "number of a closed descriptor: poll", run: func(h *harness) { staleNumber(h, (*harness).pollIn) }},
	{name: "number of a closed listener", run: staleListener},
}

func (h *harness) recvByte(f *desc) *call { return h.recv(f, make([]byte, 1)) }

func (h *harness) pollIn(f *desc) *call { return h.poll(f, sys.PollIn) }

func staleSlot(h *harness) {
	old, oldPeer := h.pair()
	f, p := h.pair()
	b := make([]byte, 4)
	for range 50 {
		h.recv(old, make([]byte, 4)).submit().wantPending().wantCanceled()
		c := h.recv(f, b).submit()
		oldPeer.write("late")
		c.wantPending()
		p.write("data")
		c.wantBytes(b, "data")
		old.plain().drain()
	}
}

func staleMultishot(h *harness) {
	l, addr := h.listen(64)
	f, p := h.pair()
	for range 30 {
		c := h.acceptMulti(l).submit().wantPending()
		q := h.dial(addr)
		c.wantCanceled()
		r := h.recvByte(f).submit()
		h.dial(addr).close()
		r.wantPending()
		p.write("x")
		r.want(1)
		q.close()
		for n := h.m.accept(l.Sys()); n >= 0; n = h.m.accept(l.Sys()) {
			h.m.Close(n)
		}
	}
}

// The first op ends with data. Its cancel is still on its way when its slot already holds another op.
func staleCancel(h *harness) {
	f, p := h.pair()
	b := make([]byte, 4)
	for range 50 {
		first := h.recv(f, b).submit().wantPending()
		p.write("data")
		first.cancel()
		if res := first.end(); res == -sys.ECANCELED {
			f.plain().drain()
		}
		second := h.recv(f, b).submit().wantPending()
		p.write("more")
		second.wantBytes(b, "more")
	}
}

// A duplicate keeps the closed socket alive, so there are still events on it. They must not reach the socket that has
// its number now.
func staleNumber(h *harness, build func(*harness, *desc) *call) {
	for range 10 {
		old, oldPeer := h.pair()
		number := old.Sys()
		alive := h.duplicate(old)
		build(h, old).submit().wantPending().wantCanceled()
		h.closeDesc(old)
		f, p := h.pairAt(number)
		c := build(h, f).submit().wantPending()
		oldPeer.write("late")
		c.wantPending()
		p.write("x")
		if res := c.end(); res != 1 {
			h.Fatalf("%s completed with %s, want 1", c, show(res))
		}
		h.closeDesc(f)
		h.closeDesc(alive)
	}
}

// pairAt is pair with a given number, which must be free, for the driver's end.
func (h *harness) pairAt(number int32) (*desc, *peer) {
	h.Helper()
	f, p := h.pair()
	if n := f.Take(); n != number {
		h.checkRes(h.m.move(n, number))
	}
	f.Init(number)
	return f, p
}

func staleListener(h *harness) {
	for range 10 {
		l, addr := h.listen(8)
		number := l.Sys()
		dup := h.m.Dup(number)
		h.checkRes(dup)
		h.acceptMulti(l).submit().wantPending().wantCanceled()
		h.closeDesc(l)
		f, p := h.pairAt(number)
		c := h.recvMulti(f).submit().wantPending()
		h.dial(addr)
		c.wantPending()
		p.write("data")
		c.untilData(4)
		h.checkRes(h.m.Close(dup))
	}
}
