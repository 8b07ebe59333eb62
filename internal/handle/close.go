package handle

import (
	"encoding/binary"
	"net"

	"ringo/internal/loop"
	"ringo/internal/sys"
)

// The ways in which the program has asked for the close.
const (
	byClose = 1 << iota
	bySoon
)

// Close closes the handle, and waits until the descriptor is closed, or a tail has it; a task parks, even if it was
// cancelled. The error is that of a send that no call has returned. A second call waits as well, and returns
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

// CloseSoon begins the close, and does not wait for its end. When it returns to a task of the loop the close has
// begun; for other callers it begins soon after. Any caller.
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

// AwaitClosed parks until the descriptor of a closing handle is closed. For tasks of the loop.
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
	if c.l.IsCurrent() {
		c.AwaitClosed()
	} else {
		c.awaitClosedFrom(c.foreign.Load())
	}
}

// closeForeign is Close for foreign callers. A goroutine around a simulated world does not wait: no Close of package
// net does, so programs call it with locks held, and there time stands still for a goroutine that waits for a lock.
func (c *Core) closeForeign() {
	if f := c.beginCloseForeign(); !loop.Around() {
		c.awaitClosedFrom(f)
	}
}

// awaitClosedFrom waits for the end of the close, for a foreign caller, if it needs to. f is the part that learns of
// it.
func (c *Core) awaitClosedFrom(f *foreign) {
	switch f {
	case nil:
	case nobody: // it is being closed, or was, and no foreign part learns of it
		c.l.Go(c.AwaitClosed).WaitAsClient()
	default:
		f.awaitClosed()
	}
}

// beginCloseForeign begins a Close for foreign callers. It returns the part that learns of the end; nil if the handle
// is closed. A loop that has ended has closed its handles, or is about to, or has left them to foreign callers.
func (c *Core) beginCloseForeign() *foreign {
	f, err := c.callers()
	switch {
	case c.foreign.Load() == nobody:
		return nobody
	case err != nil:
		return nil
	}
	if !c.lingers() { // or close(2) may wait in the kernel
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

// Replace is called before BeginCloseKeepFD, for a handle that another one replaces without the program's knowledge.
// It reports false if the program has called Close or CloseSoon, the mail of which may be on its way. After it a Close
// comes too late: it does not close the handle's replacement.
func (c *Core) Replace() bool { return c.closeCalled.CompareAndSwap(0, byClose|bySoon) }

// BeginClose marks the handle as closing, and asks for the end of what is in flight. The last completion closes the
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
	c.own.dirs[In].queue.ReadyAll()
	c.own.dirs[Out].queue.ReadyAll()
	c.endCopy()
	c.abort(&c.own.dirs[In])
	c.abort(&c.own.dirs[Out])
	c.Settle()
}

// BeginCloseKeepFD is BeginClose for a handle that leaves its loop: the descriptor stays open, and the hooks Take it
// at Settled. It reports false, and begins nothing, while a copy has bytes in hand: see AwaitCopy. If the copy's own
// task calls it, it does not wait for those bytes, which are lost.
func (c *Core) BeginCloseKeepFD() bool {
	if n := c.copier(); n != 0 && n != c.l.Task().Number() {
		return false
	}
	if f := c.foreign.Load(); f != nil && !f.beginCloseBetweenCopies() {
		return false
	}
	c.keepsFD = true
	c.BeginClose()
	return true
}

// Settle goes on with the close once nothing is in flight and no foreign caller uses the handle. Code that has kept
// the descriptor busy calls it when it no longer does. For the loop's thread.
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

// closeLingering closes a descriptor whose close(2) may wait for the peer.
func (c *Core) closeLingering(n int32) {
	c.leaveError()
	CloseLingering(c.l, n, func() { c.foreign.Load().finish() }, c.finish)
}

// CloseLingering closes a descriptor whose close(2) may wait for the peer. A goroutine does that, because on the
// loop's thread it would stop all tasks, and calls closed; the loop's thread calls then, unless the loop has ended
// meanwhile. In a world, where close(2) does not wait, CloseLingering itself calls then, and nothing calls closed.
func CloseLingering(l *loop.Loop, n int32, closed, then func()) {
	if !l.World().Beside() {
		l.Kernel().Close(n)
		then()
		return
	}
	go func() {
		l.Kernel().CloseLingering(n)
		closed()
		l.Call(then)
	}()
}

// CloseAtOnce closes a socket that no caller takes. Its close(2) waits for no peer, even if SO_LINGER is set, which an
// accepted socket inherits.
func CloseAtOnce(l *loop.Loop, n int32) {
	l.Kernel().SetLinger(n, -1)
	l.Kernel().Close(n)
}

// LingerOf asks a TCP socket for the argument of SetLinger; negative if its close(2) does not wait.
func LingerOf(l *loop.Loop, fd int32) int {
	p := make([]byte, 8) // a struct linger
	if l.Kernel().GetsockoptBytes(fd, sys.SolSocket, sys.SoLinger, p) < int32(len(p)) ||
		binary.NativeEndian.Uint32(p) == 0 {
		return -1
	}
	return int(binary.NativeEndian.Uint32(p[4:]))
}

// finish ends the close: the descriptor is closed, and callers in Close return.
func (c *Core) finish() {
	c.state = closed
	c.countClosed()
	c.leaveError()
	c.foreign.Load().finish()
	c.l.Handles().Unregister(&c.own.open)
	c.own.closers.ReadyAll()
	c.hooks.Tell(Closed)
}

// countClosed takes the handle off the count of open ones. Any thread.
func (c *Core) countClosed() {
	c.l.Handles().Closed(c.kind)
	c.hooks.Tell(Uncounted)
}

// opened is the core as the loop's Open.
type opened Core

// Drain is called when accepts have stopped, or Grace has ended; from the latter on no send waits for a slow peer.
func (o *opened) Drain() {
	c := (*Core)(o)
	if c.l.Stopping() && c.sending() {
		c.abort(&c.own.dirs[Out])
	}
	c.drainIdle()
	o.hooks.Tell(Draining)
}

// Abandon closes a handle that was left open, when the loop ends or its driver has died. The driver is closed next.
func (o *opened) Abandon() {
	c := (*Core)(o)
	if c.state <= closing {
		c.stopLingering()
	}
	c.BeginClose()
	c.hooks.Tell(Abandoned)
}

// stopLingering makes close(2) not wait for the peer, because the thread that will call it has other handles to close:
// no caller is in Close, or one is and its ops have not ended.
func (c *Core) stopLingering() {
	if c.lingers() {
		c.SetLinger(-1)
		c.l.Kernel().SetLinger(c.fd.Sys(), -1)
	}
}

// Of returns the hooks of the handle that is open on a loop as o; nil if o is no handle.
func Of(o loop.Open) Hooks {
	if h, ok := o.(*opened); ok {
		return h.hooks
	}
	return nil
}

// AwaitForeign waits on the loop's thread, outside of tasks, until the foreign callers have left a handle that closes.
// If the loop still takes mail, because only its driver has died, AwaitForeign does not wait: the last foreign caller
// leaves by mail.
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
