package drivertest

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// Builders of ops: each takes a slot and fills it, and submit hands it to the driver.

func (h *harness) op(code op.Code, f *desc) *call {
	h.Helper()
	o := h.slab.Get(code)
	if o == nil {
		h.Fatal("drivertest: the slab is full")
	}
	c := &call{h: h, name: o.Def().Name, o: o, desc: f}
	if f != nil {
		o.FD = &f.FD
		f.calls++
	}
	return c
}

func (h *harness) nop() *call { return h.op(op.Nop, nil) }

func (h *harness) accept(f *desc) *call { return h.op(op.Accept, f) }

func (h *harness) acceptMulti(f *desc) *call { return h.op(op.Accept, f).with(op.Multishot) }

func (h *harness) connect(f *desc, to *sys.Sockaddr) *call {
	c := h.op(op.Connect, f)
	h.slab.Ext(c.o).Addr = *to
	return c
}

func (h *harness) recv(f *desc, p []byte) *call { return h.op(op.Recv, f).on(p, 0) }

// recvSelect receives once, into a buffer of the pool.
func (h *harness) recvSelect(f *desc) *call { return h.op(op.Recv, f).with(op.Select) }

// recvMulti receives again and again, into buffers of the pool.
func (h *harness) recvMulti(f *desc) *call { return h.op(op.Recv, f).with(op.Select | op.Multishot) }

func (h *harness) send(f *desc, p []byte) *call { return h.op(op.Send, f).on(p, 0) }

// sendFull sends all of p, however long it takes.
func (h *harness) sendFull(f *desc, p []byte) *call { return h.send(f, p).with(op.Full) }

func (h *harness) sendmsg(f *desc, parts ...[]byte) *call {
	c := h.op(op.Sendmsg, f)
	h.slab.Ext(c.o).SetVector(parts)
	return c
}

func (h *harness) recvmsg(f *desc, parts ...[]byte) *call {
	c := h.op(op.Recvmsg, f)
	h.slab.Ext(c.o).SetVector(parts)
	return c
}

func (h *harness) poll(f *desc, mask uint32) *call {
	c := h.op(op.Poll, f)
	c.o.Events = uint16(mask)
	return c
}

func (h *harness) pollMulti(f *desc, mask uint32) *call { return h.poll(f, mask).with(op.Multishot) }

func (h *harness) timeout(d time.Duration) *call {
	c := h.op(op.Timeout, nil)
	h.slab.Ext(c.o).Time = uring.NewTimespec(d)
	return c
}

// atPosition is the offset of reads and writes that start where the last one ended. Pipes allow no other.
const atPosition = -1

func (h *harness) read(f *desc, p []byte, off int64) *call { return h.op(op.Read, f).on(p, off) }

func (h *harness) write(f *desc, p []byte, off int64) *call { return h.op(op.Write, f).on(p, off) }

func (c *call) on(p []byte, off int64) *call {
	c.o.Buf, c.o.Off = p, off
	return c
}

// flags sets the flags of the system call.
func (c *call) flags(flags uint32) *call {
	c.o.CallFlags = flags
	return c
}

func (c *call) limit(n uint32) *call {
	c.o.Limit = n
	return c
}

// other sets the other side of a splice: a pipe or a file.
func (c *call) other(f *desc) *call {
	c.o.Other = f.Sys()
	return c
}

func (c *call) with(flags op.Flags) *call {
	c.o.Flags |= flags
	return c
}
