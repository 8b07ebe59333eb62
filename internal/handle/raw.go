package handle

import (
	"errors"
	"syscall"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// RawConn is a handle as a syscall.RawConn. Fail wraps an error as the handle's methods do.
type RawConn struct {
	Core *Core
	Fail func(name string, err error) error
}

var _ syscall.RawConn = (*RawConn)(nil)

// ErrUnread is the error of a call that would pass over what was received and not read.
var ErrUnread = errors.New("sock: the connection holds bytes that nobody has read (see Conn.Buffered)")

// Control calls f with the descriptor, which stays open until f returns.
func (r *RawConn) Control(f func(fd uintptr)) error { return r.Fail("raw-control", r.Core.Control(f)) }

// Read calls f until it reports true, whenever there may be something to read.
func (r *RawConn) Read(f func(fd uintptr) bool) error {
	return r.Fail("raw-read", r.Core.transfer(In, f))
}

// Write calls f until it reports true, whenever there may be room to write.
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
	if dir == In && c.owner.Holds(a.Input()) {
		return ErrUnread
	}
	a.h.raw = f
	_, err = a.Do()
	return err
}

// transferOwn is transfer for a task of the loop. It takes the direction over as a foreign
// caller does, and is one of them for the time, but waits on the loop.
func (c *Core) transferOwn(dir Dir, f func(fd uintptr) bool) error {
	l := c.l
	if !l.ChargeAndYield() {
		return l.Cause()
	}
	c.Quiesce(dir)
	g, err := c.callers()
	if err != nil {
		return err
	}
	h := &g.halves[dir]
	if !h.borrow() {
		return g.closedErr()
	}
	defer h.restore()
	if dir == In && c.owner.Holds(&h.Input) {
		return ErrUnread
	}
	for {
		err := c.State(dir)
		switch {
		case err != nil:
			return err
		case f(uintptr(c.fd.Sys())):
			return nil
		case l.Canceled():
			return l.Cause()
		}
		if err := c.awaitReady(dir); err != nil {
			return err
		}
	}
}

// borrow makes a task of the loop, which has access, the foreign caller that is at it.
func (h *half) borrow() bool {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.closing {
		return false
	}
	h.lend(&h.f.c.own.dirs[h.dir])
	h.busy = true
	return true
}

// restore gives the direction back to the loop.
func (h *half) restore() {
	f := h.f
	f.mu.Lock()
	h.busy, h.wanted, h.ahead = false, false, 0
	h.unlend(&f.c.own.dirs[h.dir])
	if f.closing {
		f.settle()
		f.c.Settle() // also if it was its op that kept the descriptor open
		return
	}
	f.unwatch()
	f.mu.Unlock()
}

// interest is what a poll of a stream watches. RDHUP and PRI are there so that
// bytes that come together with a FIN, or around an urgent byte, are not missed.
const interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// halfClosedPause is how long a task waits for room behind a poll that reports nothing
// but the peer's end, as all polls of a socket do: the next one would at once, too.
const halfClosedPause = time.Millisecond

// awaitReady parks the running task until the descriptor is ready in a direction, or
// something else is to be looked at.
func (c *Core) awaitReady(dir Dir) error {
	o := c.l.NewOp(op.Poll)
	if o == nil {
		return CallError("poll", -sys.ENOBUFS)
	}
	o.Events = interest
	if dir == Out {
		o.Events = sys.PollOut
	}
	res := c.Await(dir, o)
	if dir == Out && res > 0 && res&(sys.PollOut|sys.PollErr|sys.PollHup) == 0 {
		c.l.Sleep(halfClosedPause)
	}
	return c.Why(dir, "poll")
}
