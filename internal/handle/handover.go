package handle

import (
	"os"

	"ringo/internal/rt/code"
)

// handover is a direction as the task that queues for it among the loop's tasks, in
// the name of all foreign callers.
type handover half

// Code is its own: no program has started it.
func (t *handover) Code() code.Func { return code.Of((*handover).Run) }

// Run gives the direction to them.
func (t *handover) Run() {
	h := (*half)(t)
	f, c := h.f, h.f.c
	c.l.Shield() // those who wait for it hear of the loop's end when the handle closes
	defer c.l.Unshield()
	c.attach()
	d := &c.own.dirs[h.dir]
	if c.state != open || c.enterOwn(h.dir) != nil {
		f.mu.Lock() // the handle closes, or the loop ends, and closes what is open
		h.asked = false
		f.mu.Unlock()
		return
	}
	err := c.Quiesce(h.dir)
	if h.dir == Out && c.own.out.unsent != nil { // what is unsent goes first, and can't go now
		h.refuse(err)
		d.unlock(c.l)
		return
	}
	f.mu.Lock()
	h.asked = false
	if f.isClosing() {
		f.mu.Unlock()
		d.unlock(c.l)
		return
	}
	h.lend(d)
	h.held, h.err = true, err
	// Tasks that queued behind this one found no foreign callers to ask. They want it back
	// when those that wait now are done.
	h.wanted, h.ahead = !d.queue.Empty(), int32(h.queue.len())
	p := h.passOn()
	back := p == nil && h.wanted
	if back {
		h.wanted = false
	}
	f.mu.Unlock()
	switch {
	case p != nil:
		p.Wake()
	case back && h.reclaim():
		d.unlock(c.l)
	}
}

// refuse tells those who wait for the direction that the deadline, which is theirs as well, has passed. Otherwise the
// handle closes or is about to, which they are told then.
func (h *half) refuse(err error) {
	var told line
	h.f.mu.Lock()
	h.asked = false
	if err == os.ErrDeadlineExceeded {
		told = claimAll(late, &h.queue)
	}
	h.f.mu.Unlock()
	told.wake()
}

// lend makes the direction the foreign callers', for whom it is released. The caller holds mu.
func (h *half) lend(d *Direction) {
	d.lent = h
	if h.dir == In {
		h.f.c.hooks.Release(&h.in)
		h.f.c.Forget()
	}
}

// unlend is the way back. The caller holds mu, or knows that no foreign caller is at it.
func (h *half) unlend(d *Direction) {
	d.lent = nil
	if h.dir == In {
		h.f.c.hooks.Acquire(&h.in)
	} else {
		h.f.c.own.out.room = 0
	}
	if h.err != nil {
		h.f.c.own.out.unsent = &unsent{c: h.f.c, err: h.takeError()}
	}
}

// reclaim takes the direction back for the loop, at once if no foreign caller is at it; else
// the last of them before now will.
func (h *half) reclaim() bool {
	f := h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.busy && !h.wanted {
		h.wanted, h.ahead = true, int32(h.queue.len())
	}
	if h.busy || h.onWay {
		return false
	}
	h.held = false
	f.unwatch()
	h.unlend(&f.c.own.dirs[h.dir])
	return true
}

// inUse reports whether a foreign caller is at it, or it is on its way back.
func (h *half) inUse() bool {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.busy || h.onWay
}

// sendBack gives the direction back to the loop, whose mail it is from then on. The caller holds mu.
func (h *half) sendBack() {
	h.held, h.wanted, h.ahead, h.onWay = false, false, 0, true
	h.f.c.l.Call(h.returned)
}

// returned is told on the loop's thread that the foreign callers have given the direction
// back.
func (h *half) returned() {
	f, c := h.f, h.f.c
	f.mu.Lock()
	asked, closing := h.asked, f.isClosing()
	h.onWay = false
	d := &c.own.dirs[h.dir]
	h.unlend(d) // still locked: where the loop has ended, somebody may be closing the handle
	f.mu.Unlock()
	d.unlock(c.l)
	if c.state == open { // else they were told, and who waits is in Close
		c.endCopy()
	}
	if asked && !closing {
		c.l.Start((*handover)(h))
	}
}

// LendAll makes both directions the foreign callers', of a handle that has just been made for one.
func (c *Core) LendAll() {
	f := c.newForeign()
	for dir := range f.halves {
		h := &f.halves[dir]
		h.held = true
		if c.own != nil {
			d := &c.own.dirs[dir]
			d.busy, d.lent = true, h
		}
	}
	c.foreign.Store(f)
}
