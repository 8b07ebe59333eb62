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
	idle     // they are to be
	asked    // they are to be: a call has asked for input since SetIdle
	halfway  // a second one has, so the first got some of a request, whose rest may be on its way
	deserted // they have been: nobody waits any more, but what comes by itself is still read
	silent   // not yet: the peer has connected, and has said nothing
	awaited  // SetIdle has said so of a silent one, whose request may be on its way
	expected // they are to be when SilentMax is over, which has begun
)

// SilentMax is how long a peer that has connected may take to say something, when the program drains: as long as
// package net/http gives it.
const SilentMax = 5 * time.Second

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
	for s := c.idle.Load(); s <= halfway && !c.idle.CompareAndSwap(s, idle); s = c.idle.Load() {
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
		c.desert()
	default:
		c.l.Call(c.desert)
	}
}

// Asks is called by who has access to the input and asks for bytes. Any caller.
func (c *Core) Asks() {
	if s := c.idle.Load(); s == idle || s == asked {
		c.idle.CompareAndSwap(s, s+1)
	}
}

// HasConnected is called before anybody has the handle of a peer that has connected: until SetIdle has said that
// something is under way, it is not idle but awaited.
func (c *Core) HasConnected() { c.idle.Store(silent) }

// MovedFrom makes the handle as idle as the one was that it takes the place of.
func (c *Core) MovedFrom(old *Core) {
	switch old.idle.Load() {
	case silent:
		c.idle.Store(silent)
	case awaited, expected:
		c.idle.Store(silent)
		c.SetIdle(true)
	case halfway:
		c.idle.Store(halfway)
		c.hearDrain()
	case idle, asked, deserted:
		c.SetIdle(true)
	}
}

// Deserted reports whether callers must not wait for input, because the program drains. Any caller.
func (c *Core) Deserted() bool { return c.idle.Load() == deserted }

// desert tells those who wait for input of the drain. For the loop's thread.
func (c *Core) desert() {
	if c.idle.CompareAndSwap(idle, deserted) || c.idle.CompareAndSwap(asked, deserted) {
		c.tellDeserted()
	} else if c.idle.CompareAndSwap(awaited, expected) || c.idle.CompareAndSwap(halfway, expected) {
		s := &silence{c: c}
		s.Owner = s
		c.l.Arm(&s.Timer, c.l.After(SilentMax))
	}
	if c.l.Stopping() && c.idle.CompareAndSwap(expected, deserted) {
		c.tellDeserted()
	}
}

// silence is the time that an awaited peer has, once the drain has begun.
type silence struct {
	timer.Timer
	c *Core
}

// Fire ends it.
func (s *silence) Fire(*timer.Timer) {
	if (s.c.own == nil || s.c.state == open) && s.c.idle.CompareAndSwap(expected, deserted) {
		s.c.tellDeserted()
	}
}

// tellDeserted ends the waits for input.
func (c *Core) tellDeserted() {
	if f := c.foreign.Load(); f != nil && f != nobody {
		f.desert()
	}
	if c.own != nil {
		c.Wake()
	}
}

// desert ends the wait of the foreign caller that is at the input. One that comes later finds out by itself.
func (f *foreign) desert() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := &f.halves[In]; h.busy {
		h.interrupted = true
		f.setDeadline(h)
	}
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

// do runs the op of a foreign caller that has access, and waits if it must.
func (f *foreign) do(h *half) (int32, error) { return f.unlessDeserted(h, f.run) }

// unlessDeserted waits in a way that a drain ends, if it is for input.
func (f *foreign) unlessDeserted(h *half, wait func(*half) (int32, error)) (int32, error) {
	if h.dir == Out {
		return wait(h)
	}
	if f.c.Deserted() {
		return f.lastLook(h)
	}
	res, err := wait(h)
	if err == os.ErrDeadlineExceeded && f.c.Deserted() {
		return f.lastLook(h)
	}
	return res, err
}
