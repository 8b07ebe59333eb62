package handle

import (
	"os"
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// Whether callers that wait for input are to be told of a drain, and were.
const (
	busy     = iota
	halfway  // they have been given something since SetIdle, perhaps of a request whose rest is on its way
	owing    // which the peer may say until SilentMax is over, which has begun
	silent   // not yet: the peer has connected, and has said nothing
	awaited  // SetIdle has said so of a silent one, whose request may be on its way
	expected // they are to be when SilentMax is over, which has begun
	idle     // they are to be
	drained  // they have been: nobody waits any more, but what comes by itself is still read
)

// SilentMax is how long a peer that has connected may take to say something, when the program drains, or to say the
// rest: as long as package net/http gives it.
const SilentMax = 5 * time.Second

// patience is how much of SilentMax a handle's peer has had.
type patience uint8

const (
	untouched patience = iota
	running
	exhausted
)

// SetIdle says whether nothing is under way on the handle, so that who waits for input is told when the drain begins,
// by ErrDraining, at once if it has. Any caller.
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

// hearDrain has a handle that is idle hear of a drain that has begun.
func (c *Core) hearDrain() {
	switch {
	case !c.l.Draining():
	case c.l.IsCurrent():
		c.drainIdle()
	default:
		c.l.Call(c.drainIdle)
	}
}

// Given is said by who has access to the input of bytes that the caller gets, or that are there while it waits for
// more, if there are any. Any caller.
func (c *Core) Given(n int) {
	if n > 0 && c.idle.Load() >= idle {
		c.given()
	}
}

// given makes an idle handle one that is halfway. Of one that was told of the drain the peer has what is left of
// SilentMax. It is apart so that Given is inlined.
//
//go:noinline
func (c *Core) given() {
	if c.idle.CompareAndSwap(idle, halfway) || c.idle.CompareAndSwap(drained, halfway) {
		c.hearDrain()
	}
}

// HasConnected is called before anybody has the handle of a peer that has connected: until SetIdle has said that
// something is under way, it is not idle but awaited.
func (c *Core) HasConnected() { c.idle.Store(silent) }

// MovedFrom makes the handle as idle as the one was that it takes the place of.
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

// drainIdle tells those who wait for input of the drain. For the loop's thread.
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
		c.l.Timers().Arm(&s.Timer, c.l.After(SilentMax))
		c.patience = running
	}
}

// expectNoMore tells those who wait for what was expected.
func (c *Core) expectNoMore() {
	if c.idle.CompareAndSwap(expected, drained) || c.idle.CompareAndSwap(owing, drained) {
		c.endWaits()
	}
}

// silence is the time that a peer has from whom something is expected, once the drain has begun.
type silence struct {
	timer.Timer
	c *Core
}

// Fire ends it.
func (s *silence) Fire(*timer.Timer) {
	if s.c.own == nil || s.c.state == open { // else it may have moved, and another thread looks
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

// drainIdle ends the wait of the foreign caller that is at the input. One that comes later finds out by itself.
func (f *foreign) drainIdle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := &f.halves[In]; h.busy {
		h.interrupted, h.drained = true, true
		f.setDeadline(h)
	}
}

// goesOn ends what drainIdle has done to a wait, and reports whether it has.
func (f *foreign) goesOn(h *half) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !h.drained {
		return false
	}
	h.interrupted, h.drained = false, false
	f.setDeadline(h)
	return true
}

// lastLook is what a foreign caller does that must not wait any more.
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

// do runs the op of a foreign caller that has access, and waits if it must: by a poll, if that is said. A drain ends
// the wait, if it is for input; but of a caller that was given something meanwhile, within one call perhaps, something
// is expected, and it waits again.
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
