package sock

// takeover is a direction as the task that queues for it among the loop's tasks, in
// the name of all guests.
type takeover side

// Run gives the direction to the guests.
func (t *takeover) Run() {
	s := (*side)(t)
	g := s.g
	if !s.lock.enter(g.l) {
		return // the loop ends, and closes what is open
	}
	g.lender().settle(s)
	g.mu.Lock()
	s.asked = false
	if g.closed {
		g.mu.Unlock()
		s.lock.leave(g.l)
		return
	}
	s.lock.away = s
	g.lender().give(s)
	s.held = true
	// Tasks that queued behind this one found no guests to ask. They want it back
	// when the guests that wait now are done.
	s.wanted, s.ahead = !s.lock.waiting.Empty(), int32(s.queue.len())
	p := s.next()
	back := p == nil && s.wanted
	if back {
		s.wanted = false
	}
	g.mu.Unlock()
	switch {
	case p != nil:
		p.Wake()
	case back && s.reclaim():
		s.lock.leave(g.l)
	}
}

// reclaim takes the direction back for the loop, at once if no guest is at it; else
// the last of them before now will.
func (s *side) reclaim() bool {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.busy && !s.wanted {
		s.wanted, s.ahead = true, int32(s.queue.len())
	}
	if s.busy || s.onWay {
		return false
	}
	s.held = false
	g.unwatch()
	s.lock.away = nil
	g.lender().take(s)
	return true
}

// reclaimNow is reclaim for a moment: it leaves guests that are at it alone.
func (s *side) reclaimNow() bool {
	s.g.mu.Lock()
	busy := s.busy || s.onWay
	s.g.mu.Unlock()
	if busy || !s.reclaim() {
		return false
	}
	s.lock.leave(s.g.l)
	return true
}

// returned is told on the loop's thread that the guests have given the direction
// back.
func (s *side) returned() {
	g := s.g
	g.mu.Lock()
	asked, closed := s.asked, g.closed
	s.onWay = false
	g.mu.Unlock()
	s.lock.away = nil
	g.lender().take(s)
	s.lock.leave(g.l)
	if asked && !closed {
		g.l.Start((*takeover)(s))
	}
}

// recall takes a direction for the loop for good, without waiting until it is free: a
// guest that waits for something finds its time over, those in line are told. One whose
// call succeeds just then keeps what it got. G.
func (s *side) recall() {
	g := s.g
	g.mu.Lock()
	if s.recalled {
		g.mu.Unlock()
		return
	}
	s.held, s.recalled = false, true
	if s.busy {
		s.interrupted = true
		g.setDeadline(s)
	}
	told := claimAll(&s.queue)
	g.unwatch()
	g.mu.Unlock()
	told.wake()
}
