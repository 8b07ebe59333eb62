package drivertest

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Ops that only wait for readiness.
var pollCases = []testCase{
	{name: "ready already", run: pollReady},
	{name: "ready later", run: pollLater},
	{name: "room to write", run: pollOut},
	{name: "the end counts as readable", run: pollEnd},
	{name: "a peer that is gone", run: pollHangup},
	{name: "regular file", run: pollFile},
	{name: "many on one descriptor", run: pollMany},
	{name: "beside a receive", run: pollBesideRecv},
	{name: "roughly", run: pollRough},
	{name: "multishot at each arrival", run: pollEachArrival},
	{name: "multishot is no level", run: pollNoLevel},
	{name: "noticed before a wait", run: pollNoticed},
}

// wantMask waits for a poll that completes once, with at least these bits.
func (c *call) wantMask(mask uint32) {
	c.h.Helper()
	if res := c.end(); res < 0 || uint32(res)&mask != mask || len(c.results) != 1 {
		c.h.Fatalf("%s completed %d times, with %s (%#x); want once, with %#x", c, len(c.results), show(res), res, mask)
	}
}

func pollReady(h *harness) {
	f, p := h.pair()
	p.write("x")
	c := h.poll(f, sys.PollIn).submit()
	c.wantMask(sys.PollIn)
	if uint32(c.end())&sys.PollOut != 0 {
		h.Errorf("the mask %#x has bits that were not asked for", c.end())
	}
	h.recv(f, make([]byte, 8)).submit().want(1)
}

func pollLater(h *harness) {
	f, p := h.tcp()
	c := h.poll(f, sys.PollIn).submit().wantPending()
	p.write("x")
	c.wantMask(sys.PollIn)
	f.plain().drain()
	h.poll(f, sys.PollIn).submit().wantPending()
}

// pollRough: a rough poll need not report why it is ready, but it must end when it is.
func pollRough(h *harness) {
	f, p := h.pair()
	for _, happens := range []func(){func() { p.write("x") }, p.shutdown} {
		c := h.poll(f, sys.PollIn|sys.PollRdhup|sys.PollPri).with(op.Rough).submit().wantPending()
		happens()
		c.wantMask(sys.PollIn)
		f.plain().drain()
	}
	exact := h.poll(f, sys.PollIn) // an exact poll on the same socket is still told everything
	h.poll(f, sys.PollIn).with(op.Rough).submit().wantMask(sys.PollIn)
	exact.submit().wantMask(sys.PollIn | sys.PollRdhup)
}

func pollOut(h *harness) {
	f, p := h.pair()
	h.poll(f, sys.PollOut).submit().wantMask(sys.PollOut)
	f.plain().fill()
	c := h.poll(f, sys.PollOut).submit().wantPending()
	p.drain()
	c.wantMask(sys.PollOut)
}

func pollEnd(h *harness) {
	f, p := h.tcp()
	c := h.poll(f, sys.PollIn|sys.PollRdhup).submit().wantPending()
	p.shutdown()
	c.wantMask(sys.PollIn | sys.PollRdhup)
}

// A hang-up is reported whether it was asked for or not.
func pollHangup(h *harness) {
	f, p := h.pair()
	f.plain().fill()
	c := h.poll(f, sys.PollIn).submit().wantPending()
	p.close()
	c.wantMask(sys.PollHup)
}

func pollFile(h *harness) {
	f := h.file("always ready")
	h.poll(f, sys.PollIn).submit().wantMask(sys.PollIn)
}

func pollMany(h *harness) {
	f, p := h.pair()
	calls := make([]*call, 5)
	for i := range calls {
		calls[i] = h.poll(f, sys.PollIn).submit().wantPending()
	}
	p.write("x")
	for _, c := range calls {
		c.wantMask(sys.PollIn)
	}
}

// pollNoticed tests a driver.Noticing. It has nothing to check on other drivers.
func pollNoticed(h *harness) {
	f, p := h.pair()
	c := h.poll(f, sys.PollIn).submit().wantPending()
	d, ok := h.d.(driver.Noticing)
	notices := func(when string, want bool) {
		if ok && d.Noticed() != want {
			h.Errorf("%s the driver says Noticed: %t", when, !want)
		}
	}
	notices("before anything has come", false)
	p.write("x")
	notices("before a Wait tells what has come", true)
	c.wantMask(sys.PollIn)
	notices("when all is told", false)
}

// news waits for a completion of a multishot poll, and returns the poll that continues it. With edges that is the same
// one; without edges it is a new poll, to be submitted once what is ready has been used up.
func (h *harness) news(c *call, f *desc, mask uint32) (res int32, next *call) {
	h.Helper()
	if h.d.Info().Edges {
		return c.wantMore(), c
	}
	r := c.next()
	if r.more() {
		h.Fatalf("%s completed with %s and More by a driver without edges", c, show(r.res))
	}
	return r.res, h.pollMulti(f, mask)
}

// armed submits a poll that news returned, unless it is already under way.
func (h *harness) armed(c *call) *call {
	if !h.d.Info().Edges {
		c.submit()
	}
	return c.wantPending()
}

// One arrival serves both an op that waits for readiness and one that waits for data.
func pollBesideRecv(h *harness) {
	f, p := h.pair()
	multi := h.pollMulti(f, sys.PollIn).submit().wantPending()
	b := make([]byte, 8)
	for range 5 {
		once := h.poll(f, sys.PollIn).submit().wantPending()
		c := h.recv(f, b).submit().wantPending()
		p.write("both")
		_, next := h.news(multi, f, sys.PollIn)
		once.wantMask(sys.PollIn)
		c.wantBytes(b, "both")
		h.settle()
		multi.shown = len(multi.results)
		multi = h.armed(next)
	}
	multi.wantCanceled()
}

func pollEachArrival(h *harness) {
	f, p := h.tcp()
	c := h.pollMulti(f, sys.PollIn).submit().wantPending()
	for range 5 {
		p.write("x")
		res, next := h.news(c, f, sys.PollIn)
		if uint32(res)&sys.PollIn == 0 {
			h.Errorf("completed with %#x, want readable", res)
		}
		f.plain().drain()
		c = h.armed(next)
	}
	c.wantCanceled()
}

// Readiness that lasts is reported once, and not by every Wait.
func pollNoLevel(h *harness) {
	f, p := h.pair()
	c := h.pollMulti(f, sys.PollIn).submit().wantPending()
	p.write("x")
	if r := c.next(); r.more() != h.d.Info().Edges {
		h.Fatalf("%s completed with %s, More %t", c, show(r.res), r.more())
	}
	h.wait(h.now() + 1e6)
	if extra := len(c.results) - c.shown; extra != 0 {
		h.Errorf("%s completed %d times more", c, extra)
	}
}
