package handle

import (
	"os"
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// The values of Core.idle: whether a drain ends the waits for input, and whether it has.
const (
	busy     = iota
	halfway  // no: callers have got bytes since SetIdle, maybe of a request whose rest is on its way
	owing    // as halfway in a drain: the peer has until the end of SilentMax, which has begun
	silent   // no: the peer has connected, and has sent nothing yet
	awaited  // as silent, but SetIdle was called: the peer's request may be on its way
	expected // as awaited in a drain: yes at the end of SilentMax, which has begun
	idle     // yes
	drained  // it has: no caller waits for input, but what comes by itself is still read
)

// SilentMax is how long a peer that has connected may take in a drain to send something, or to send the rest: as long
// as package net/http gives it, and half of Grace at most.
func SilentMax(l *loop.Loop) time.Duration { return l.Set().WithinGrace(5 * time.Second) }

// patience says whether SilentMax has begun or ended for a handle's peer.
type patience uint8

const (
	untouched patience = iota
	running
	exhausted
)

// SetIdle says whether the handle is idle. If it is, the drain ends callers' waits for input with ErrDraining, at once
// if it has begun. Any caller.
func (c *Core) SetIdle(on bool) error {
	if c.l == nil {
		return ErrZero
	}
	if !on {
		c.idle.Store(busy)
		return nil
	}
	for s := c.idle.Load(); s <= owing && !c.idle.CompareAndSwap(s, idle); s = c.idle.Load() {
	}
	c.idle.CompareAndSwap(silent, awaited)
	c.hearDrain()
	return nil
}

// hearDrain makes an idle handle notice a drain that has begun.
func (c *Core) hearDrain() {
	switch {
	case !c.l.Draining():
	case c.l.IsCurrent():
		c.drainIdle()
	default:
		c.l.Call(c.drainIdle)
	}
}

// Given is called by a caller with access to the input when it gets n bytes, or when n bytes are there while it waits
// for more. Any caller.
func (c *Core) Given(n int) {
	if n > 0 && c.idle.Load() >= idle {
		c.given()
	}
}

// given makes an idle handle one that is halfway. If the drain has ended its waits, the peer gets the rest of
// SilentMax. It is a function of its own so that Given is inlined.
//
//go:noinline
func (c *Core) given() {
	if c.idle.CompareAndSwap(idle, halfway) || c.idle.CompareAndSwap(drained, halfway) {
		c.hearDrain()
	}
}

// HasConnected is called for the handle of a peer that has connected, before any caller has the handle. Until SetIdle
// says that something is under way the handle is awaited and not idle.
func (c *Core) HasConnected() { c.idle.Store(silent) }

// MovedFrom makes the handle as idle as the one that it replaces.
func (c *Core) MovedFrom(old *Core) {
	if old.patience == exhausted {
		c.patience = exhausted
	}
	switch old.idle.Load() {
	case silent:
		c.idle.Store(silent)
	case awaited, expected:
		c.idle.Store(silent)
		c.SetIdle(true)
	case halfway, owing:
		c.idle.Store(halfway)
		c.hearDrain()
	case idle, drained:
		c.SetIdle(true)
	}
}

// Drained reports whether callers must not wait for input, because the program drains. Any caller.
func (c *Core) Drained() bool { return c.idle.Load() == drained }

// drainIdle ends the waits for input that a drain may end. For the loop's thread.
func (c *Core) drainIdle() {
	if c.idle.CompareAndSwap(idle, drained) {
		c.endWaits()
	} else if c.idle.CompareAndSwap(awaited, expected) || c.idle.CompareAndSwap(halfway, owing) {
		c.expect()
	}
	if c.l.Stopping() || c.patience == exhausted {
		c.expectNoMore()
	}
}

// expect begins SilentMax, once for each handle.
func (c *Core) expect() {
	if c.patience == untouched {
		s := &silence{c: c}
		s.Owner = s
		c.l.Timers().Arm(&s.Timer, c.l.After(SilentMax(c.l)))
		c.patience = running
	}
}

// expectNoMore ends the waits for input that was expected.
func (c *Core) expectNoMore() {
	if c.idle.CompareAndSwap(expected, drained) || c.idle.CompareAndSwap(owing, drained) {
		c.endWaits()
	}
}

// silence is the timer of SilentMax.
type silence struct {
	timer.Timer
	c *Core
}

// Fire ends SilentMax.
func (s *silence) Fire(*timer.Timer) {
	if s.c.own == nil || s.c.state == open { // if not, the handle may have moved, and another thread may use it
		s.c.patience = exhausted
		s.c.expectNoMore()
	}
}

// endWaits ends the waits for input.
func (c *Core) endWaits() {
	if f := c.foreign.Load(); f != nil && f != nobody {
		f.drainIdle()
	}
	if c.own != nil {
		c.Wake()
	}
}

// drainIdle ends the wait of the foreign caller that uses the input. Those that come later see Drained.
func (f *foreign) drainIdle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := &f.halves[In]; h.busy {
		h.interrupted, h.drained = true, true
		f.setDeadline(h)
	}
}

// goesOn reverses what drainIdle has done to a wait, and reports whether drainIdle has ended it.
func (f *foreign) goesOn(h *half) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !h.drained {
		return false
	}
	h.uninterrupt()
	return true
}

// lastLook is the call of a foreign caller that must not wait any longer.
func (f *foreign) lastLook(h *half) (int32, error) {
	if err := f.c.tooLate(h.dir); err != nil {
		return 0, err
	}
	if f.isClosing() {
		return 0, f.closedErr()
	}
	if res, ok := h.try(); ok {
		return res, nil
	}
	return 0, loop.ErrDraining
}

// do runs the op of a foreign caller that has access, and waits if it must: by a poll if byPoll is set. A drain ends a
// wait for input. But if the caller has got bytes meanwhile, maybe within this call, more is expected and it waits
// again.
func (f *foreign) do(h *half, byPoll bool) (res int32, err error) {
	for {
		if h.dir == In && f.c.Drained() {
			return f.lastLook(h)
		}
		if byPoll {
			res, err = f.waitByPoll(h)
		} else {
			res, err = f.run(h)
		}
		if h.dir == Out || err != os.ErrDeadlineExceeded || !f.goesOn(h) {
			return res, err
		}
	}
}
