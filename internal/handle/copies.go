package handle

import (
	"net"

	"ringo/internal/loop"
)

// A copy (io.Copy, WriteTo) reads, and then waits for its sink with the bytes in hand: they are neither unread nor
// sent. It keeps its access meanwhile, so that bytes that the sink does not take become unread again, in front of all
// that was not read. A close does not wait for the sink, and the bytes are lost with the connection. Code that moves
// the connection elsewhere does wait.

// BeginCopy records that the caller, a task of the loop with access to the input, has bytes in hand.
func (c *Core) BeginCopy() { c.setCopier(c.l.Task().Number()) }

// setCopier stores the number of the task that has bytes in hand, half of it in each direction, where there is room.
func (c *Core) setCopier(number uint32) {
	c.own.dirs[In].copier, c.own.dirs[Out].copier = uint16(number), uint16(number>>16)
}

// copier returns the number of the task that has bytes in hand; 0 for none.
func (c *Core) copier() uint32 {
	return uint32(c.own.dirs[In].copier) | uint32(c.own.dirs[Out].copier)<<16
}

// EndCopy records that it has none. A task in AwaitCopy goes first.
func (c *Core) EndCopy() {
	if c.setCopier(0); c.state == open && !c.own.closers.Empty() {
		c.yieldToLeavers()
	}
}

// yieldToLeavers is a function of its own so that EndCopy is inlined.
//
//go:noinline
func (c *Core) yieldToLeavers() {
	c.endCopy()
	c.l.YieldTurn()
}

// BeginCopy records that the caller has bytes in hand. It fails if the handle closes: the caller must make them unread
// again.
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

// EndCopy records that it has none, and makes rest unread again.
func (a Access) EndCopy(rest []byte) {
	f := a.h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.h.copies = false; len(rest) > 0 && !f.isClosing() { // if it closes they are lost with the connection
		a.h.in.PutBack(nil, rest, true)
	}
}

// AwaitCopy parks until the copy has no bytes in hand. It is for a task whose BeginCloseKeepFD has reported false, and
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

// leaving is the core as the Waiter of a task in AwaitCopy.
type leaving Core

// CancelWait resumes a cancelled task.
func (w *leaving) CancelWait(t *loop.Task) {
	w.own.closers.Remove(t)
	t.Loop().Ready(t)
}

// DescribeWait describes the input.
func (w *leaving) DescribeWait(_ *loop.Task, d *loop.Wait) { (*Core)(w).describe(In, d) }

// endCopy resumes the tasks in AwaitCopy.
func (c *Core) endCopy() {
	for t := c.own.closers.Pop(); t != nil; t = c.own.closers.Pop() {
		t.Tell(hasAccess)
		c.l.Ready(t)
	}
}

// beginCloseBetweenCopies is beginClose, unless a copy has bytes in hand. If one has it makes the loop want the input
// back before any other foreign caller gets it; its return ends AwaitCopy.
func (f *foreign) beginCloseBetweenCopies() bool {
	return f.beginCloseIf(func() bool {
		h := &f.halves[In]
		if h.copies {
			h.wanted, h.ahead = true, 0
		}
		return !h.copies
	})
}
