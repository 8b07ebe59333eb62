package drivertest

import "ringo/internal/sys"

// In these cases the pool that the driver takes buffers from is small and runs dry.
var bufferCases = []testCase{
	{name: "dry ends a multishot and loses nothing", buffers: 4, size: 16, run: dryMultishot},
	{name: "dry ends a single receive", buffers: 1, size: 16, run: drySingle},
	{name: "dry and the end", buffers: 2, size: 8, run: dryEnd},
	{name: "a stream that takes all does not stop another", buffers: 4, size: 16, run: dryBeside},
	{name: "an idle receive holds none", buffers: 2, size: 16, run: idleHoldsNone},
	{name: "cancel gives the buffer back", buffers: 2, size: 16, run: cancelGivesBack},
	{name: "they go round", buffers: 4, size: 32, run: roundAndRound},
}

func dryMultishot(h *harness) {
	f, p := h.pair()
	h.keep = true
	text := pattern(7, 0, 160)
	c := h.recvMulti(f).submit().wantPending()
	p.write(text)
	got, dry := "", uint64(0)
	for len(got) < len(text) {
		c.wantEnd(-sys.ENOBUFS)
		if dry++; h.d.Info().Stats.NoBuffers != dry {
			h.Errorf("NoBuffers = %d, want %d", h.d.Info().Stats.NoBuffers, dry)
		}
		if len(c.data) != 64 {
			h.Fatalf("got %d bytes before ENOBUFS, want what 4 buffers of 16 take", len(c.data))
		}
		got += string(c.data)
		h.giveBack()
		if c = h.recvMulti(f).submit(); len(got) == 128 {
			c.untilData(32)
			got += string(c.data)
		}
	}
	if got != text {
		h.Error("the bytes did not come as they were sent")
	}
	h.giveBack()
	c.wantPending()
}

func drySingle(h *harness) {
	f, p := h.pair()
	h.keep = true
	p.write("first second")
	h.recvSelect(f).submit().want(12)
	p.write("third")
	h.recvSelect(f).submit().want(-sys.ENOBUFS)
	h.giveBack()
	c := h.recvSelect(f).submit()
	c.want(5)
	if string(c.data) != "third" {
		h.Errorf("got %q, want %q", c.data, "third")
	}
}

// The end needs no buffer, but a driver may find it only with one.
func dryEnd(h *harness) {
	f, p := h.pair()
	h.keep = true
	c := h.recvMulti(f).submit().wantPending()
	p.write("0123456789abcdef")
	p.close()
	if last := c.end(); last != 0 && last != -sys.ENOBUFS || len(c.data) != 16 {
		h.Fatalf("ended with %s after %d bytes, want 0 or -ENOBUFS after 16", show(last), len(c.data))
	}
	h.giveBack()
	h.recvMulti(f).submit().wantLast(0)
}

// A receive that finds the pool dry can go on with memory of its own, and with the pool's buffers when they are back.
func dryBeside(h *harness) {
	greedy, p := h.pair()
	other, q := h.pair()
	h.keep = true
	g := h.recvMulti(greedy).submit().wantPending()
	o := h.recvMulti(other).submit().wantPending()
	p.write(pattern(8, 0, 200))
	g.wantEnd(-sys.ENOBUFS)
	q.write("hello")
	o.wantLast(-sys.ENOBUFS)
	b := make([]byte, 16)
	h.recv(other, b).submit().wantBytes(b, "hello")
	own := h.recv(other, b).submit().wantPending()
	h.giveBack()
	q.write("again")
	own.wantBytes(b, "again")
	o = h.recvMulti(other).submit()
	q.write("pool")
	o.untilData(4)
}

// Many receives share few buffers: a buffer is chosen only when data is there.
func idleHoldsNone(h *harness) {
	const n = 20
	f, p, calls := make([]*desc, n), make([]*peer, n), make([]*call, n)
	for i := range f {
		f[i], p[i] = h.pair()
		calls[i] = h.recvMulti(f[i]).submit().wantPending()
	}
	for i := range f {
		p[i].write("turn")
		calls[i].untilData(4)
	}
}

func cancelGivesBack(h *harness) {
	f, p := h.pair()
	for range 10 {
		h.recvSelect(f).submit().wantPending().wantCanceled()
		h.recvMulti(f).submit().wantPending().wantCanceled()
	}
	p.write("data")
	c := h.recvSelect(f).submit()
	c.want(4)
}

func roundAndRound(h *harness) {
	f, p := h.pair()
	c := h.recvMulti(f).submit().wantPending()
	sent := 0
	for i := range 100 {
		p.write(pattern(9, sent, 1+i%64))
		sent += 1 + i%64
		c.untilData(sent)
	}
	if at := mismatch(c.data, 9, 0); at >= 0 {
		h.Errorf("byte %d of %d is not what was sent", at, sent)
	}
}
