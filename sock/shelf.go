package sock

import "sync"

// shelf is the connections that a listener has made for guests before they ask. A
// guest that finds one there need not wait for the loop, which on a busy machine
// takes as long as all goroutines before it take.
//
// A guest opens it by asking in vain. The loop fills it when peers come; its tasks,
// and guests that wait, are served from it first.
type shelf struct {
	open bool // the loop's

	mu    sync.Mutex
	conns []*Conn
}

func (s *shelf) put(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

// take gives the first connection, nil if there is none, and how many are left.
func (s *shelf) take() (c *Conn, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil, 0
	}
	c = s.conns[0]
	s.conns = append(s.conns[:0], s.conns[1:]...)
	return c, len(s.conns)
}

// putBack undoes take.
func (s *shelf) putBack(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c != nil {
		s.conns = append([]*Conn{c}, s.conns...)
	}
}

func (s *shelf) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// shelve moves what was accepted to the shelf, if guests use it.
func (ln *Listener) shelve() {
	if !ln.shelf.open {
		return
	}
	for s, ok := ln.queue.pop(); ok; s, ok = ln.queue.pop() {
		c := ln.accepted(s)
		c.bornAway()
		ln.shelf.put(c)
	}
}

// clear closes the connections that nobody has taken.
func (s *shelf) clear() {
	s.open = false
	for c, _ := s.take(); c != nil; c, _ = s.take() {
		c.beginClose()
	}
}
