package handle

import (
	"ringo/internal/loop"
)

// Close closes the handle, and waits until the descriptor is gone; a task parks, also one that was
// cancelled. Closing again does nothing but wait. Any caller.
func (c *Core) Close() error {
	switch {
	case c.l == nil:
		return ErrZero
	case !c.l.IsCurrent():
		c.closeForeign()
		return nil
	}
	c.attach()
	c.owner.CloseCalled()
	c.BeginClose()
	c.AwaitGone()
	return nil
}

// AwaitGone parks until the descriptor of a handle that closes is gone. For tasks of the loop.
func (c *Core) AwaitGone() {
	if c.state != gone {
		c.own.closers.Push(c.l.Task())
		c.l.Park(nil)
	}
}

// closeForeign is Close for foreign callers. If the loop has ended it has closed what was open on it, or
// is about to, or has left that to others who will tell.
func (c *Core) closeForeign() {
	f, err := c.callers()
	if err != nil || f.closeDetached() {
		return
	}
	c.l.Call(func() {
		c.attach()
		c.owner.CloseCalled()
		c.BeginClose()
	})
	f.awaitGone()
}

// BeginClose marks the handle and asks for the end of what is in flight. The last completion closes the
// descriptor. For the loop's thread.
func (c *Core) BeginClose() {
	if c.state != open {
		return
	}
	c.state = closing
	c.fd.Seal()
	if !c.foreign.CompareAndSwap(nil, nobody) {
		c.foreign.Load().shut()
	}
	c.owner.Closing()
	c.Wake()
	c.abort(&c.own.dirs[In])
	c.abort(&c.own.dirs[Out])
	c.Settle()
}

// Part is BeginClose for a handle that leaves its loop: its descriptor stays open, and is its owner's to Take
// when it is told Closed.
func (c *Core) Part() {
	c.leaves = true
	c.BeginClose()
}

// Settle goes on with the close, once nothing is in flight any more. For the loop's thread; who has
// kept the descriptor busy in ways of its own says so by it.
func (c *Core) Settle() {
	switch {
	case c.state != closing, c.own.dirs[In].Op != nil, c.own.dirs[Out].Op != nil, c.fd.Busy():
		return
	case c.foreign.Load().inherit():
		return
	}
	c.state = closed
	for i := range c.own.dirs {
		c.l.RemoveTimer(&c.own.dirs[i].timer)
	}
	c.owner.Closed()
	switch {
	case c.leaves:
		c.conclude()
	case c.lingers.Load():
		c.closeBeside()
	default:
		c.l.CloseFD(&c.fd)
		c.conclude()
	}
}

// closeBeside closes a descriptor whose close may wait for the peer, on a goroutine: on the loop's
// thread it would stop all others. The loop may end meanwhile.
func (c *Core) closeBeside() {
	n := c.Take()
	go func() {
		c.l.Kernel().Close(n)
		c.foreign.Load().concluded()
		c.l.Call(c.conclude)
	}()
}

// conclude tells those who wait that the descriptor is gone.
func (c *Core) conclude() {
	c.state = gone
	c.foreign.Load().concluded()
	c.l.Unregister(&c.own.open)
	for t := c.own.closers.Pop(); t != nil; t = c.own.closers.Pop() {
		c.l.Ready(t)
	}
	c.owner.Gone()
}

// opened is the core as what is open on its loop.
type opened Core

// Drain is the loop's word that accepts have stopped.
func (o *opened) Drain() { o.owner.Drain() }

// Abandon is the loop's word that it ends, or that its driver has died: whoever left the handle open is
// gone, and the driver is about to be drained.
func (o *opened) Abandon() {
	c := (*Core)(o)
	c.lingers.Store(false)
	c.BeginClose()
	c.owner.Abandoned()
}

// Of reports which handle something open on a loop is; nil if it is none.
func Of(o loop.Open) Owner {
	if h, ok := o.(*opened); ok {
		return h.owner
	}
	return nil
}

// AwaitForeign waits, on the loop's thread and without its tasks, until foreign callers that were told to go have
// left a handle that closes. A loop that still takes mail, since its driver has died and not it, does not: the
// last of them leaves by mail.
func (c *Core) AwaitForeign() {
	f := c.foreign.Load()
	if f != nil && f != nobody && f.leaving() && !c.l.Call(func() {}) {
		f.awaitGoneAs(nil, nil)
	}
}
