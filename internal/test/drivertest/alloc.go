package drivertest

import (
	"runtime"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/uring"
)

// In steady state nothing allocates.
var allocCases = []testCase{
	{name: "nop", run: allocNop},
	{name: "send and recv", run: allocStream},
	{name: "multishot recv", run: allocMulti},
	{name: "poll", run: allocPoll},
	{name: "cancel", run: allocCancel},
	{name: "timeout", run: allocTimeout},
	{name: "deadline", run: allocDeadline},
	{name: "wake", run: allocWake},
	{name: "accept and close", run: allocAccept},
	{name: "past capacity", run: allocPast},
	{name: "messages", run: allocMessages},
	{name: "batches", run: allocBatches},
	{name: "splices", run: allocSplices},
	{name: "file", run: allocFile},
	{name: "past the page cache", run: allocDirect},
	{name: "outbox", run: allocOutbox},
}

// wantNoAllocs runs round many times, in up to four attempts, and fails the case if each attempt allocates. The rest of
// the process allocates a little meanwhile, but not in every attempt, so one attempt without allocations is enough.
func (h *harness) wantNoAllocs(round func()) {
	h.Helper()
	if race.Enabled { // the race detector allocates, so there is nothing to count
		for range 20 {
			round()
		}
		return
	}
	const rounds = 300
	least := uint64(1 << 62)
	for try := 0; try < 4 && least > rounds/10; try++ { // in the first one everything grows to its final size
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			round()
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	if least > rounds/10 {
		h.Errorf("%d rounds allocated %d times, want none", rounds, least)
	}
}

// run submits an op that has no call, and returns its completion.
func (h *harness) run(o *op.Op) driver.Completion {
	h.d.Submit(o)
	c := h.rawCompletion()
	if c.Op != o {
		h.Fatal("another op completed")
	}
	return c
}

// raw takes a slot for an op that is used again and again.
func (h *harness) raw(code op.Code, f *desc) *op.Op {
	o := h.slab.Get(code)
	o.Sink = forbidden{h}
	if f != nil {
		o.FD = &f.FD
	}
	h.raws = append(h.raws, o)
	return o
}

func (h *harness) wantRes(c driver.Completion, want int32) {
	if c.Res != want {
		h.Fatalf("%s completed with %s, want %s", c.Op.Def().Name, show(c.Res), show(want))
	}
}

func allocNop(h *harness) {
	o := h.raw(op.Nop, nil)
	h.wantNoAllocs(func() { h.wantRes(h.run(o), 0) })
}

func allocStream(h *harness) {
	f, p := h.pair()
	in, out := h.raw(op.Recv, f), h.raw(op.Send, f)
	in.Buf, out.Buf = make([]byte, 64), make([]byte, 64)
	b := make([]byte, 64)
	h.wantNoAllocs(func() {
		in.Done, out.Done = 0, 0
		h.wantRes(h.run(out), 64)
		h.m.read(p.n, b)
		h.d.Submit(in)
		h.settleRaw()
		h.m.write(p.n, b)
		h.wantRes(h.rawCompletion(), 64)
	})
}

func allocMulti(h *harness) {
	f, p := h.pair()
	o := h.raw(op.Recv, f)
	o.Flags = op.Multishot | op.Select
	h.d.Submit(o)
	b := make([]byte, 64)
	var held [4]*bufs.Buffer
	h.wantNoAllocs(func() {
		for i := range held {
			h.m.write(p.n, b)
			c := h.rawCompletion()
			if h.wantRes(c, 64); c.Flags&op.More == 0 {
				h.Fatal("a multishot receive ended")
			}
			held[i] = h.claim(c.Flags, 64)
		}
		for _, b := range held {
			h.pool.Put(b)
		}
	})
	h.d.Cancel(o)
	h.wantRes(h.rawCompletion(), -sys.ECANCELED)
}

func allocPoll(h *harness) {
	f, p := h.pair()
	watched, q := h.pair()
	o, watch := h.raw(op.Poll, f), h.raw(op.Poll, watched)
	o.Events, watch.Events, watch.Flags = sys.PollIn, sys.PollIn, op.Multishot
	b := make([]byte, 1)
	try := &op.Op{Code: op.Recv, FD: &watched.FD, Buf: b}
	h.d.Submit(watch)
	h.wantNoAllocs(func() {
		h.d.Submit(o)
		h.settleRaw()
		h.m.write(p.n, b)
		h.wantRes(h.rawCompletion(), sys.PollIn)
		h.m.read(f.Sys(), b)
		h.d.Forget(&f.FD)

		h.m.write(q.n, b)
		c := h.rawCompletion()
		h.wantRes(c, sys.PollIn)
		if res, ok := h.d.Try(try); !ok || res != 1 {
			h.Fatalf("Try of recv gave %s, %v; want 1", show(res), ok)
		}
		if c.Flags&op.More == 0 { // on a driver without edges
			h.d.Submit(watch)
		}
	})
	h.d.Cancel(watch)
	h.wantRes(h.rawCompletion(), -sys.ECANCELED)
}

func allocCancel(h *harness) {
	f, _ := h.pair()
	o := h.raw(op.Recv, f)
	o.Buf = make([]byte, 1)
	h.wantNoAllocs(func() {
		o.Canceled = false
		h.d.Submit(o)
		h.settleRaw()
		h.d.Cancel(o)
		h.wantRes(h.rawCompletion(), -sys.ECANCELED)
	})
}

func allocTimeout(h *harness) {
	o := h.raw(op.Timeout, nil)
	h.slab.Ext(o).Time = uring.NewTimespec(5 * time.Microsecond)
	h.wantNoAllocs(func() { h.wantRes(h.run(o), -sys.ETIME) })
}

func allocDeadline(h *harness) {
	h.wantNoAllocs(func() { h.wait(h.now() + int64(5*time.Microsecond)) })
}

func allocWake(h *harness) {
	h.wantNoAllocs(func() {
		h.wake()
		h.wait(driver.Forever)
	})
}

func allocAccept(h *harness) {
	l, addr := h.listen(8)
	accept := h.raw(op.Accept, l)
	h.wantNoAllocs(func() {
		n := h.tcpSocket()
		h.m.Connect(n, addr)
		c := h.run(accept)
		h.checkRes(c.Res)
		h.m.Close(n)
		h.m.Close(c.Res)
	})
}

func allocPast(h *harness) {
	ops := make([]*op.Op, min(2*h.entries+3, 100))
	for i := range ops {
		ops[i] = h.raw(op.Nop, nil)
	}
	h.wantNoAllocs(func() {
		for _, o := range ops {
			h.d.Submit(o)
		}
		for range ops {
			h.wantRes(h.rawCompletion(), 0)
		}
	})
}

func allocMessages(h *harness) {
	f, p, _, there := h.udp()
	in, out := h.raw(op.Recvmsg, f), h.raw(op.Sendmsg, f)
	b := make([]byte, 64)
	parts := [][]byte{b}
	for _, o := range []*op.Op{in, out} {
		x := h.slab.Ext(o)
		x.SetVector(parts)
		x.Named = true
	}
	in.Ext.Control = make([]byte, 64)
	h.wantNoAllocs(func() {
		out.Ext.Addr = *there
		h.wantRes(h.run(out), 64)
		h.m.read(p.n, b)
		h.d.Submit(in)
		h.settleRaw()
		h.m.write(p.n, b)
		h.wantRes(h.rawCompletion(), 64)
		if in.Ext.Sender().AddrPort() != there.AddrPort() {
			h.Fatal("a message came from somebody else")
		}
	})
}

func allocBatches(h *harness) {
	f, p, _, there := h.udp()
	in, out := h.raw(op.Recvmmsg, f), h.raw(op.Sendmmsg, f)
	received, _ := room(4, 64)
	sent, mem := room(4, 64)
	h.slab.Ext(in).Batch, h.slab.Ext(out).Batch = received, sent
	h.wantNoAllocs(func() {
		for i := range sent.Cap() {
			*sent.Addr(i) = *there
		}
		h.wantRes(h.run(out), 4)
		h.d.Submit(in)
		h.settleRaw()
		for i := range mem {
			h.m.read(p.n, mem[i])
		}
		h.m.write(p.n, mem[0])
		h.wantRes(h.rawCompletion(), 1)
	})
}

func allocSplices(h *harness) {
	f, p := h.pair()
	r, w := h.pipe()
	in, out := h.raw(op.SpliceIn, f), h.raw(op.SpliceOut, f)
	in.Limit, in.Other, out.Limit, out.Other = 64, w.Sys(), 64, r.Sys()
	b := make([]byte, 64)
	h.wantNoAllocs(func() {
		h.d.Submit(in)
		h.settleRaw()
		h.m.write(p.n, b)
		h.wantRes(h.rawCompletion(), 64)
		h.wantRes(h.run(out), 64)
		h.m.read(p.n, b)
	})
}
