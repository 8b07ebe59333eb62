package handle

import (
	"os"

	"ringo/internal/loop"
)

// Whether callers that wait for input are to be told of a drain, and were.
const (
	busy     = iota
	idle     // they are to be
	deserted // they have been: nobody waits any more, but what comes by itself is still read
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
	c.idle.CompareAndSwap(busy, idle)
	switch {
	case !c.l.Draining():
	case c.l.IsCurrent():
		c.desert()
	default:
		c.l.Call(c.desert)
	}
	return nil
}

// Idle reports whether SetIdle has said so. Any caller.
func (c *Core) Idle() bool { return c.idle.Load() != busy }

// Deserted reports whether callers must not wait for input, because the program drains. Any caller.
func (c *Core) Deserted() bool { return c.idle.Load() == deserted }

// desert tells those who wait for input of the drain. For the loop's thread.
func (c *Core) desert() {
	if !c.idle.CompareAndSwap(idle, deserted) {
		return
	}
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
