package sock

import (
	"slices"
	"sync"

	"ringo/internal/handle"
)

// acceptQueue is the connections that a listener has made for foreign callers before they ask, and
// the foreign callers that ask before there are any. A foreign caller that finds a connection there need not
// wait for the loop, which on a busy machine takes as long as all goroutines before it
// take; and it need not tell the loop that it waits, as long as an accept is under way.
//
// A foreign caller opens it by asking in vain. The loop fills it when peers come; its tasks,
// and foreign callers that wait, are served from it first.
type acceptQueue struct {
	open bool // the loop's

	mu       sync.Mutex
	conns    []*Conn
	callers  []*caller
	standing bool // the loop brings what comes without being asked
}

func (s *acceptQueue) put(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

// pop removes the first connection; nil if there is none.
func (s *acceptQueue) pop() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _ := s.popLocked()
	return c
}

// popLocked is pop under mu. It also returns how many are left.
func (s *acceptQueue) popLocked() (c *Conn, left int) {
	if len(s.conns) == 0 {
		return nil, 0
	}
	c = s.conns[0]
	s.conns = slices.Delete(s.conns, 0, 1)
	return c, len(s.conns)
}

// putBack undoes pop.
func (s *acceptQueue) putBack(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c != nil {
		s.conns = append([]*Conn{c}, s.conns...)
	}
}

func (s *acceptQueue) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// ask takes a connection, or else puts w, if there is one, behind those who wait. refill says
// that the loop may have stopped for want of room; tell, that it does not know that anybody waits.
func (s *acceptQueue) ask(w *caller) (c *Conn, refill, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.callers) == 0 {
		if c, left := s.popLocked(); c != nil {
			return c, left == queueMax/2, false
		}
	}
	if w != nil {
		s.callers = append(s.callers, w)
	}
	return nil, false, !s.standing
}

// caller takes out the foreign caller that has waited for longest, nil if there is none.
func (s *acceptQueue) caller() *caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.callers) == 0 {
		return nil
	}
	w := s.callers[0]
	s.callers = slices.Delete(s.callers, 0, 1)
	return w
}

// leave takes out one that gives up; false if it is not there, because it is being served.
func (s *acceptQueue) leave(w *caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.callers, w)
	if i < 0 {
		return false
	}
	s.callers = slices.Delete(s.callers, i, i+1)
	return true
}

// yield closes the accept queue because a task has come to the listener, unless a foreign caller waits.
func (s *acceptQueue) yield() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = len(s.callers) > 0
	s.standing = s.standing && s.open // with the look in one: who asks from here on says so
}

// asked reports whether a foreign caller waits.
func (s *acceptQueue) asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.callers) > 0
}

// stand notes whether what comes will be brought to foreign callers that wait. When an accept has
// ended it is looked for such foreign callers afterwards.
func (ln *Listener) stand() {
	s := &ln.ready
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = s.open && !ln.core.Closing() && ln.core.Own(handle.In).Op != nil
}

// fillReady moves what was accepted to the queue of those that are ready, if foreign callers use it.
func (ln *Listener) fillReady() {
	if !ln.ready.open {
		return
	}
	for s, ok := ln.queue.pop(); ok; s, ok = ln.queue.pop() {
		c := newDetached(ln.l, s)
		ln.name(c, &loopStateOf(ln.l).name)
		c.detach()
		ln.ready.put(c)
	}
}

// clear closes the connections that nobody has taken.
func (s *acceptQueue) clear() {
	s.open = false
	for c := s.pop(); c != nil; c = s.pop() {
		c.core.Drop()
	}
}
