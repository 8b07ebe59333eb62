package handle

import (
	"os"

	"ringo/internal/rt/code"
)

// handover is a direction as the task that queues for it among the loop's tasks, on behalf of all foreign callers.
type handover half

// Code returns Run: no function of the program has started this task.
func (t *handover) Code() code.Func { return code.Of((*handover).Run) }

// Run gives the direction to the foreign callers.
func (t *handover) Run() {
	h := (*half)(t)
	f, c := h.f, h.f.c
	c.l.Shield() // those who wait for it hear of the loop's end when the handle closes
	defer c.l.Unshield()
	c.attach()
	d := &c.own.dirs[h.dir]
	if c.state != open || c.enterOwn(h.dir) != nil {
		f.mu.Lock() // the handle closes, or the loop ends and will close it
		h.asked = false
		f.mu.Unlock()
		return
	}
	err := c.Quiesce(h.dir)
	if h.dir == Out && c.own.out.unsent != nil { // unsent bytes go first, and can't go now
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
	// Tasks that queued behind this one have found no foreign callers yet. They want the direction back once those
	// that wait now are done.
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

// refuse ends the waits for the direction if its deadline has passed, which is theirs as well. With any other error
// the handle closes or is about to, and the callers learn of that.
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

// lend gives the direction to the foreign callers. The caller holds mu.
func (h *half) lend(d *Direction) {
	d.lent = h
	if h.dir == In {
		h.f.c.hooks.Release(&h.in)
		h.f.c.Forget()
	}
}

// unlend takes the direction back. The caller holds mu, or knows that no foreign caller uses the direction.
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

// reclaim takes the direction back for the loop: at once if no foreign caller uses it. If one does, the last of those
// that have come so far sends it back.
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

// inUse reports whether a foreign caller uses the direction, or it is on its way back.
func (h *half) inUse() bool {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.busy || h.onWay
}

// sendBack gives the direction back to the loop, by mail. The caller holds mu.
func (h *half) sendBack() {
	h.held, h.wanted, h.ahead, h.onWay = false, false, 0, true
	h.f.c.l.Call(h.returned)
}

// returned runs on the loop's thread when the foreign callers have given the direction back.
func (h *half) returned() {
	f, c := h.f, h.f.c
	f.mu.Lock()
	asked, closing := h.asked, f.isClosing()
	h.onWay = false
	d := &c.own.dirs[h.dir]
	h.unlend(d) // with mu held: if the loop has ended another thread may be closing the handle
	f.mu.Unlock()
	d.unlock(c.l)
	if c.state == open { // if not, the tasks have learned of the close, and those in closers are in Close
		c.endCopy()
	}
	if asked && !closing {
		c.l.Start((*handover)(h))
	}
}

// LendAll gives both directions of a new handle to the foreign callers that it was made for.
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
