package handle

import (
	"syscall"
)

// RawConn is a handle as a syscall.RawConn. Fail wraps errors as the handle's methods do.
type RawConn struct {
	Core *Core
	Fail func(name string, err error) error
}

var _ syscall.RawConn = (*RawConn)(nil)

// Control calls f with the descriptor, which stays open until f returns.
func (r *RawConn) Control(f func(fd uintptr)) error { return r.Fail("raw-control", r.Core.Control(f)) }

// Read calls f until it reports true: at once, and each time there may be something to read.
func (r *RawConn) Read(f func(fd uintptr) bool) error {
	return r.Fail("raw-read", r.Core.transfer(In, f))
}

// Write calls f until it reports true: at once, and each time there may be room to write.
func (r *RawConn) Write(f func(fd uintptr) bool) error {
	return r.Fail("raw-write", r.Core.transfer(Out, f))
}

// transfer calls f, with access to a direction, until it reports true.
func (c *Core) transfer(dir Dir, f func(fd uintptr) bool) error {
	a, err := c.Enter(dir)
	if err != nil {
		return err
	}
	defer c.Leave(a) // also if f panics
	if a.Own() {
		return c.transferOwn(dir, f)
	}
	if dir == In && c.hooks.Holds(a.Input()) {
		return ErrUnread
	}
	a.h.raw = f
	_, err = a.Do()
	c.taken(dir, err)
	return err
}

// taken is called after f, which may have taken something from the input.
func (c *Core) taken(dir Dir, err error) {
	if dir == In && err == nil {
		c.Given(1)
	}
}

// transferOwn is transfer for a task of the loop. The task takes the direction over as a foreign caller does, and acts
// as one, but waits on its own loop.
func (c *Core) transferOwn(dir Dir, f func(fd uintptr) bool) error {
	l := c.l
	if !l.ChargeAndYield() {
		return l.Cause()
	}
	if err := c.Quiesce(dir); err != nil {
		return err
	}
	g, err := c.callers()
	if err != nil {
		return err
	}
	h := &g.halves[dir]
	if !h.borrow() {
		return g.closedErr()
	}
	defer h.restore()
	if dir == In && c.hooks.Holds(&h.in) {
		return ErrUnread
	}
	h.raw = f
	_, err = g.do(h, true)
	c.taken(dir, err)
	return err
}

// borrow lends the direction to the task of the loop that has access, which then counts as the foreign caller at it. It
// reports false if the handle closes.
func (h *half) borrow() bool {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.isClosing() {
		return false
	}
	h.lend(&h.f.c.own.dirs[h.dir])
	h.busy = true
	return true
}

// restore gives the direction back to the loop.
func (h *half) restore() {
	f := h.f
	h.raw = nil
	f.mu.Lock()
	h.uninterrupt()
	h.busy, h.wanted, h.ahead = false, false, 0
	h.unlend(&f.c.own.dirs[h.dir])
	if f.isClosing() {
		f.settle()
		f.c.Settle() // also if the op of the task was what kept the descriptor open
		return
	}
	f.unwatch()
	f.mu.Unlock()
}
