package sock

import (
	"sync"

	"ringo/internal/loop"
)

// A stray is a connection that was made for guests and that no task of its loop has
// touched. The loop knows no more of it than that it is there, to be closed at the
// loop's end; guests read, write and close it without the loop.
//
//	newStray, bornAway ──▶ a stray ──closed by guests, or at the loop's end──▶ gone
//	                          │
//	                          └──a task of the loop comes: attend──▶ as any connection
type strays struct {
	handle loop.Handle
	mu     sync.Mutex
	first  *guests
	over   bool // the loop ends
}

// newStray makes a connection of a descriptor for guests: bornAway must follow.
func newStray(l *loop.Loop, sys int32) *Conn {
	c := &Conn{l: l}
	c.fd.Init(sys)
	return c
}

func (c *Conn) strays() *strays { return &localOf(c.l).strays }

// add puts in a new one; false at the loop's end. G.
func (s *strays) add(g *guests) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if g.next = s.first; g.next != nil {
		g.next.prev = g
	}
	s.first = g
	return true
}

func (s *strays) remove(g *guests) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case g.prev != nil:
		g.prev.next = g.next
	case s.first == g:
		s.first = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	}
	g.next, g.prev = nil, nil
}

// Drain is the loop's word that accepts have stopped.
func (s *strays) Drain() {}

// Abandon is the loop's word that it ends.
func (s *strays) Abandon() {
	for {
		s.mu.Lock()
		g := s.first
		s.over = true
		s.mu.Unlock()
		if g == nil {
			return
		}
		g.endStray()
		s.remove(g)
	}
}

// bornAway gives a new connection to guests, for whom it was made. T, and of one by
// newStray G.
func (c *Conn) bornAway() {
	g := c.newGuests()
	g.in.held, g.out.held = true, true
	if c.atHand != nil {
		c.in.give(c, &g.in)
		c.forget()
		c.removeTimers()
		c.l.Unregister(&c.handle)
		g.in.lock, g.out.lock = nil, nil
		c.atHand = nil
	}
	g.stray = true
	c.guests.Store(g)
	if !c.strays().add(g) {
		g.endStray()
	}
}

// attend takes in a stray, because a task of the loop has come. T.
func (c *Conn) attend() {
	if c.atHand == nil {
		c.takeIn()
	}
}

func (c *Conn) takeIn() {
	g := c.guests.Load()
	c.strays().remove(g)
	g.mu.Lock()
	defer g.mu.Unlock()
	c.bringNear(new(atHand))
	g.stray = false
	g.in.lock, g.out.lock = &c.in.lock, &c.out.lock
	for _, s := range [...]*side{&g.in, &g.out} {
		s.lock.busy, s.lock.away = true, s
	}
	if c.closing = g.closed; g.gone {
		c.closed, c.gone = true, true
		c.l.Unregister(&c.handle)
	}
}

// closeStray is Close for guests, if the connection is a stray; else it reports false.
// It waits for those who are at it.
func (c *Conn) closeStray(g *guests) bool {
	if c.lingers.Load() {
		return false // to close may wait in the kernel
	}
	stray, gone := g.endStray()
	if stray && !gone {
		g.awaitGone()
	}
	return stray
}

// awaitGone waits until the last of those who are at a handle that is closed has left it.
func (g *guests) awaitGone() {
	l, t := loop.Current()
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	g.awaitGoneAs(l, t)
}

// awaitGoneAs is awaitGone for who runs in t of l, or in no task.
func (g *guests) awaitGoneAs(l *loop.Loop, t *loop.Task) {
	w := new(waiter)
	w.Begin(l, t)
	g.mu.Lock()
	if g.gone {
		g.mu.Unlock()
		return
	}
	g.closers.push(w)
	g.mu.Unlock()
	w.Park()
}

// endStray closes a stray for all. It reports false if it is none, and whether it is gone at once:
// else the last of those who are at it closes the descriptor.
func (g *guests) endStray() (stray, gone bool) {
	g.mu.Lock()
	if !g.stray || g.gone {
		defer g.mu.Unlock()
		return g.stray, g.gone
	}
	told := g.shutLocked()
	g.orphan = g.in.busy || g.out.busy || g.pinned > 0
	g.gone = !g.orphan
	gone = g.gone
	g.mu.Unlock()
	told.wake()
	if gone {
		g.host.discard()
	}
	return true, gone
}
