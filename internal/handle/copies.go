package handle

import (
	"net"

	"ringo/internal/loop"
)

// A copy (io.Copy, WriteTo) reads, and then waits for its sink with the bytes in hand: neither is there anything to
// read nor has it gone out. It keeps its access meanwhile, so that what the sink does not take is unread again in front
// of what nobody has read. A close does not wait for the sink, and the bytes are gone with the connection; who takes
// the connection elsewhere does.

// BeginCopy says that the caller, a task of the loop that has access to the input, has bytes in hand.
func (c *Core) BeginCopy() { c.setCopier(c.l.TaskNumber()) }

// setCopier notes the task that has bytes in hand by its number, of which each direction has a half: there is room.
func (c *Core) setCopier(number uint32) {
	c.own.dirs[In].copier, c.own.dirs[Out].copier = uint16(number), uint16(number>>16)
}

// copier is the number of the task that has bytes in hand; 0: none.
func (c *Core) copier() uint32 {
	return uint32(c.own.dirs[In].copier) | uint32(c.own.dirs[Out].copier)<<16
}

// EndCopy says that it has none any more. A task that waits for that goes first.
func (c *Core) EndCopy() {
	if c.setCopier(0); c.state == open && !c.own.closers.Empty() {
		c.yieldToLeavers()
	}
}

// yieldToLeavers is apart so that EndCopy is inlined.
//
//go:noinline
func (c *Core) yieldToLeavers() {
	c.endCopy()
	c.l.YieldTurn()
}

// BeginCopy says that the caller has bytes in hand. On a handle that closes it fails: they are to be unread again.
func (a Access) BeginCopy() error {
	f := a.h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isClosing() {
		return f.closedErr()
	}
	a.h.copies = true
	return nil
}

// EndCopy says that it has none any more, and makes the rest of them unread again.
func (a Access) EndCopy(rest []byte) {
	f := a.h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.h.copies = false; len(rest) > 0 && !f.isClosing() { // else they are gone with the connection
		a.h.in.PutBack(nil, rest, true)
	}
}

// AwaitCopy parks until the copy that has bytes in hand has none, for a task whose BeginCloseKeepFD was refused and
// which then tries again. A cancel ends it.
func (c *Core) AwaitCopy() error {
	if c.l.Canceled() {
		return c.l.Cause()
	}
	me := c.l.Task()
	me.Tell(noAccess)
	c.own.closers.Push(me)
	c.l.Park((*leaving)(c))
	switch {
	case c.state != open:
		return net.ErrClosed
	case me.Told() != hasAccess:
		return c.l.Cause()
	}
	return nil
}

// leaving is the core as what a task waits for that is in AwaitCopy.
type leaving Core

// CancelWait lets a cancelled task go.
func (w *leaving) CancelWait(t *loop.Task) {
	w.own.closers.Remove(t)
	t.Loop().Ready(t)
}

// DescribeWait tells of the input.
func (w *leaving) DescribeWait(_ *loop.Task, d *loop.Wait) { (*Core)(w).describe(In, d) }

// endCopy wakes those in AwaitCopy.
func (c *Core) endCopy() {
	for t := c.own.closers.Pop(); t != nil; t = c.own.closers.Pop() {
		t.Tell(hasAccess)
		c.l.Ready(t)
	}
}

// beginCloseBetweenCopies is beginClose, unless a copy has bytes in hand: then the loop wants the input back before
// anybody else gets it, which ends the wait for the copy.
func (f *foreign) beginCloseBetweenCopies() bool {
	if f == nobody {
		return true
	}
	f.mu.Lock()
	h := &f.halves[In]
	if h.copies {
		h.wanted, h.ahead = true, 0
		f.mu.Unlock()
		return false
	}
	if f.isClosing() {
		f.mu.Unlock()
		return true
	}
	told := f.beginCloseLocked()
	f.mu.Unlock()
	told.wake()
	return true
}
