package handle

import (
	"net"

	"ringo/internal/loop"
)

// How the program has called for the close.
const (
	byClose = 1 << iota
	bySoon
)

// Close closes the handle, and waits until the descriptor is closed, or a tail has it; a task parks, also one that was
// cancelled. The error is that of a send that nobody was told. Who is not the first to call it waits as well, and gets
// net.ErrClosed. Any caller.
func (c *Core) Close() error {
	if c.l == nil {
		return ErrZero
	}
	again := c.closeCalled.Or(byClose)&byClose != 0
	if c.l.IsCurrent() {
		c.attach()
		c.hooks.Tell(CloseCalled)
		c.BeginClose()
		c.AwaitClosed()
	} else {
		c.closeForeign()
	}
	if again {
		return net.ErrClosed
	}
	return c.TakeError()
}

// CloseSoon begins the close, and does not wait for its end: for a task of the loop it has begun when this returns, for
// others soon after. Any caller.
func (c *Core) CloseSoon() {
	c.closeCalled.Or(bySoon)
	if !c.l.IsCurrent() {
		c.beginCloseForeign()
		return
	}
	c.attach()
	c.hooks.Tell(CloseCalled)
	c.BeginClose()
}

// AwaitClosed parks until the descriptor of a handle that closes is closed. For tasks of the loop.
func (c *Core) AwaitClosed() {
	if c.state != closed {
		c.own.closers.Push(c.l.Task())
		c.l.Park((*closingWait)(c))
	} else if f := c.foreign.Load(); f != nil {
		f.awaitClosed() // a foreign caller closes the descriptor just now, as it may have since the handle was attached
	}
}

// AwaitEnd is AwaitClosed for any caller.
func (c *Core) AwaitEnd() {
	switch f := c.foreign.Load(); {
	case c.l.IsCurrent():
		c.AwaitClosed()
	case f == nobody:
		c.l.Go(c.AwaitClosed).WaitAsClient()
	case f != nil:
		f.awaitClosed()
	}
}

// closeForeign is Close for foreign callers. A goroutine beside a simulated world does not wait: no Close of package
// net does, so that many are called with a lock held, and for who waits for a lock time stands still there.
func (c *Core) closeForeign() {
	switch f := c.beginCloseForeign(); {
	case f == nil, loop.Around():
	case f == nobody: // it is being closed, or was, with no foreign caller to tell
		c.l.Go(c.AwaitClosed).WaitAsClient()
	default:
		f.awaitClosed()
	}
}

// beginCloseForeign begins a Close for foreign callers, and gives what tells of its end; nil: it is closed. If the loop
// has ended it has closed what was open on it, or is about to, or has left that to others who will tell.
func (c *Core) beginCloseForeign() *foreign {
	f, err := c.callers()
	switch {
	case c.foreign.Load() == nobody:
		return nobody
	case err != nil:
		return nil
	}
	if !c.lingers() { // else to close may wait in the kernel
		switch detached, closed := f.beginCloseDetached(); {
		case detached && closed:
			return nil
		case detached:
			return f
		}
	}
	c.l.Call(func() {
		c.attach()
		c.hooks.Tell(CloseCalled)
		c.BeginClose()
	})
	return f
}

// Replace is said before BeginCloseKeepFD of a handle that is to have another in its place without its program's
// asking. It reports false if the program has called Close or CloseSoon, the word of which may still be to come. From
// then on Close is one that comes too late: the handle's place is another's, which it does not close.
func (c *Core) Replace() bool { return c.closeCalled.CompareAndSwap(0, byClose|bySoon) }

// BeginClose marks the handle and asks for the end of what is in flight. The last completion closes the
// descriptor. For the loop's thread.
func (c *Core) BeginClose() {
	if c.state != open {
		return
	}
	c.Push()
	c.state = closing
	c.fd.Seal()
	if !c.foreign.CompareAndSwap(nil, nobody) {
		c.foreign.Load().beginClose()
	}
	c.hooks.Tell(Closing)
	c.Wake()
	c.own.dirs[In].dismiss(c.l)
	c.own.dirs[Out].dismiss(c.l)
	c.endCopy()
	c.abort(&c.own.dirs[In])
	c.abort(&c.own.dirs[Out])
	c.Settle()
}

// BeginCloseKeepFD is BeginClose for a handle that leaves its loop: its descriptor stays open, and is the handle's
// to Take when it is told Settled. It is false, and nothing has begun, while a copy has bytes in hand: see AwaitCopy.
// To the copy's own task these are gone.
func (c *Core) BeginCloseKeepFD() bool {
	if n := c.copier(); n != 0 && n != c.l.TaskNumber() {
		return false
	}
	if f := c.foreign.Load(); f != nil && !f.beginCloseBetweenCopies() {
		return false
	}
	c.keepsFD = true
	c.BeginClose()
	return true
}

// Settle goes on with the close, once nothing is in flight any more and no foreign caller is at it. Who has kept the
// descriptor busy calls it when it no longer does. For the loop's thread.
func (c *Core) Settle() {
	switch {
	case c.state != closing, c.own.dirs[In].Op != nil, c.own.dirs[Out].Op != nil, c.fd.Busy():
		return
	case c.foreign.Load().orphanIfUsed():
		return
	}
	c.state = settled
	c.removeTimers()
	c.hooks.Tell(Settled)
	switch {
	case c.keepsFD:
		c.finish()
	case c.lingers():
		if !c.leaveTail(c.closeLingering) {
			c.closeLingering(c.Take())
		}
	default:
		if !c.leaveTail(nil) {
			c.l.CloseFD(&c.fd)
		}
		c.finish()
	}
}

// closeLingering closes a descriptor whose close may wait for the peer on a goroutine: on the loop's
// thread it would stop all others. The loop may end meanwhile.
func (c *Core) closeLingering(n int32) {
	c.leaveError()
	if !c.l.World().Beside() { // and no close waits
		c.l.Kernel().Close(n)
		c.finish()
		return
	}
	go func() {
		c.l.Kernel().CloseLingering(n)
		c.foreign.Load().finish()
		c.l.Call(c.finish)
	}()
}

// finish ends the close: the descriptor is closed, and those who wait for that go on.
func (c *Core) finish() {
	c.state = closed
	c.countClosed()
	c.leaveError()
	c.foreign.Load().finish()
	c.l.Handles().Unregister(&c.own.open)
	for t := c.own.closers.Pop(); t != nil; t = c.own.closers.Pop() {
		c.l.Ready(t)
	}
	c.hooks.Tell(Closed)
}

// countClosed counts the handle no more among those that are open. Any thread.
func (c *Core) countClosed() {
	c.l.Handles().Closed(c.kind)
	c.hooks.Tell(Uncounted)
}

// opened is the core as what is open on its loop.
type opened Core

// Drain is the loop's word that accepts have stopped, or that Grace has ended: nobody waits for a slow peer then.
func (o *opened) Drain() {
	c := (*Core)(o)
	if c.l.Stopping() && c.sending() {
		c.abort(&c.own.dirs[Out])
	}
	c.drainIdle()
	o.hooks.Tell(Draining)
}

// Abandon is what the loop calls when it ends, or when its driver has died, for a handle that was left open. The
// driver is about to be drained.
func (o *opened) Abandon() {
	c := (*Core)(o)
	if c.state <= closing {
		c.stopLingering()
	}
	c.BeginClose()
	c.hooks.Tell(Abandoned)
}

// stopLingering has the kernel close the descriptor without waiting for the peer, because the thread that will close it
// has others to close: nobody is in Close, or a Close has begun and its ops have not ended.
func (c *Core) stopLingering() {
	if c.lingers() {
		c.SetLinger(-1)
		c.l.Kernel().SetLinger(c.fd.Sys(), -1)
	}
}

// Of reports which handle something open on a loop is; nil if it is none.
func Of(o loop.Open) Hooks {
	if h, ok := o.(*opened); ok {
		return h.hooks
	}
	return nil
}

// AwaitForeign waits, on the loop's thread and without its tasks, until foreign callers that were told to go have
// left a handle that closes. A loop that still takes mail, since its driver has died and not it, does not: the
// last of them leaves by mail.
func (c *Core) AwaitForeign() {
	f := c.foreign.Load()
	switch {
	case f == nil, f == nobody, c.l.Call(func() {}):
	case !c.l.World().Beside():
		c.l.Outwait(func() bool { return !f.inUse() })
	case f.leaving():
		f.awaitClosedAs(nil, nil)
	}
}
