package drivertest

import (
	"fmt"

	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// call is one op, from its builder to its results.
type call struct {
	h       *harness
	name    string
	o       *op.Op // nil once it has ended: the slot may be another op's by then
	desc    *desc
	token   uint64
	results []result
	shown   int // how many results next has returned
	// data holds all bytes that a receiving op got in buffers of the pool.
	data []byte
	// onEnd, if not nil, is called with the op at its end, while the slot is still the op's.
	onEnd    func(o *op.Op, res int32)
	ended    bool
	canceled bool
}

// result is one completion.
type result struct {
	res   int32
	flags uint32
}

func (r result) more() bool { return r.flags&op.More != 0 }

// String names the op in messages.
func (c *call) String() string {
	if c.desc != nil {
		return fmt.Sprintf("%s on descriptor %d", c.name, c.desc.Sys())
	}
	return c.name
}

// submit hands the op to the driver. A driver may complete it only in a later Wait, never here.
func (c *call) submit() *call {
	h, o := c.h, c.o
	h.Helper()
	o.Sink = forbidden{h}
	c.token = o.Token()
	h.live[o] = c
	h.at(inSubmit)
	h.d.Submit(o)
	h.at(inCase)
	switch {
	case o.State != op.Queued && o.State != op.InFlight:
		h.Fatalf("%s is in state %d after Submit, want Queued or InFlight until a Wait", c, o.State)
	case c.desc != nil && !c.desc.Busy():
		h.Fatalf("%s: Submit did not take hold of the descriptor", c)
	}
	return c
}

// cancel asks the driver to end the op, which must not have ended yet.
func (c *call) cancel() *call {
	h := c.h
	h.Helper()
	if c.ended {
		h.Fatal("drivertest: the case cancels an op that has ended")
	}
	c.canceled = true
	h.at(inCancel)
	h.d.Cancel(c.o)
	h.at(inCase)
	switch {
	case c.o.State != op.Queued && c.o.State != op.InFlight:
		h.Fatalf("%s is in state %d after Cancel, want Queued or InFlight until a Wait", c, c.o.State)
	case c.desc != nil && !c.desc.Busy():
		h.Fatalf("%s: Cancel let go of the descriptor, before the last completion", c)
	}
	return c
}

// add records a completion.
func (c *call) add(res int32, flags uint32) {
	c.results = append(c.results, result{res, flags})
	if flags&op.HasBuffer != 0 {
		c.take(res, flags)
	}
	if flags&op.More != 0 {
		return
	}
	c.ended = true
	if c.o.State != op.Idle {
		c.h.Errorf("%s is in state %d with its last completion out, want Idle", c, c.o.State)
	}
	if c.onEnd != nil {
		c.onEnd(c.o, res)
	}
	if f := c.desc; f != nil {
		if f.calls--; f.calls == 0 && f.Busy() {
			c.h.Errorf("%s has completed, but still holds its descriptor", c)
		}
	}
}

// take records the bytes that came in a buffer of the pool.
func (c *call) take(res int32, flags uint32) {
	h := c.h
	if c.o.Flags&(op.Select|op.Multishot) == 0 || res <= 0 {
		h.Errorf("%s completed with %s and a buffer", c, show(res))
		return
	}
	b := h.claim(flags, int(res))
	c.data = append(c.data, b.Unread()...)
	if h.keep {
		h.held = append(h.held, b)
		return
	}
	h.pool.Put(b)
}

// free gives the slot back; the next op takes it at once.
func (c *call) free() {
	o := c.o
	c.o = nil
	c.h.slab.Put(o)
}

// end waits for the last completion and returns its result.
func (c *call) end() int32 {
	c.h.Helper()
	c.h.until("the end of "+c.String(), func() bool { return c.ended })
	return c.results[len(c.results)-1].res
}

// next waits for the next completion that it has not returned yet.
func (c *call) next() result {
	c.h.Helper()
	if c.ended && c.shown == len(c.results) {
		c.h.Fatalf("%s has ended with %s, want another completion", c, show(c.end()))
	}
	c.h.until("a completion of "+c.String(), func() bool { return len(c.results) > c.shown })
	c.shown++
	return c.results[c.shown-1]
}

// want waits for the end of an op that completes once, and checks its result.
func (c *call) want(res int32) {
	c.h.Helper()
	if got := c.end(); got != res {
		c.h.Fatalf("%s completed with %s, want %s", c, show(got), show(res))
	}
	if len(c.results) != 1 {
		c.h.Fatalf("%s completed %d times, want once", c, len(c.results))
	}
}

// wantMore waits for a completion, which must have More.
func (c *call) wantMore() int32 {
	c.h.Helper()
	r := c.next()
	if !r.more() {
		c.h.Fatalf("%s ended with %s, want a completion with More", c, show(r.res))
	}
	return r.res
}

// wantLast takes the last completion of a multishot op and checks its result. The case must have taken all earlier ones
// by next.
func (c *call) wantLast(res int32) {
	c.h.Helper()
	if r := c.next(); r.more() || r.res != res {
		c.h.Fatalf("%s completed with %s (More %v), want %s as its last", c, show(r.res), r.more(), show(res))
	}
}

// wantPending settles and fails if the op has completed.
func (c *call) wantPending() *call {
	c.h.Helper()
	c.h.settle()
	if len(c.results) > c.shown {
		c.h.Fatalf("%s completed with %s, and nothing has happened that it waits for", c, show(c.results[c.shown].res))
	}
	return c
}

// wantCanceled cancels the op, which must end with ECANCELED.
func (c *call) wantCanceled() {
	c.h.Helper()
	c.cancel().wantEnd(-sys.ECANCELED)
}

// wantEnd waits for the op's end, whatever completions came before, and checks the last result.
func (c *call) wantEnd(res int32) {
	c.h.Helper()
	if got := c.end(); got != res {
		c.h.Fatalf("%s ended with %s, want %s", c, show(got), show(res))
	}
}

// claim takes over the buffer that a completion names.
func (h *harness) claim(flags uint32, n int) *bufs.Buffer {
	return h.pool.Filled(uint16(op.BufferID(flags)), n)
}
