package sock

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/handle"
	"ringo/internal/loop"
)

// balance spreads the connections of a set's listeners over the loops.
//
// A connection counts for one loop at a time, from the moment when that loop is chosen for it, and stops counting in
// the same way on whatever thread and loop it ends. If a loop counted its own connections at once and others' later, or
// did not count those on their way, the next connections would all go to one loop.
type balance struct {
	evens bool // ListenConfig.Balance: a connection goes to the loop that has the fewest

	mu      sync.Mutex
	members []*member
	next    int // the member to begin with among those with equally many

	evening atomic.Bool // Rebalance is running
}

// member is a loop that has connections of the set, or a listener. There is one per loop, until the loop ends.
type member struct {
	of    *balance
	l     *loop.Loop
	conns atomic.Int64 // that it has or will get

	// Changed by its own loop under of.mu.
	ln    *Listener // nil: it has none
	takes bool      // the listener takes connections that other loops have accepted
	// Under of.mu, and counted down by its own loop.
	coming int // connections on their way, which other loops have accepted for it

	server *server // the last server that has begun to call Accept; for the loop itself
}

// memberOf returns the member of a loop, which it makes if there is none.
func (b *balance) memberOf(l *loop.Loop) *member {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.find(l); m != nil {
		return m
	}
	b.members = slices.DeleteFunc(b.members, func(m *member) bool { return m.l.Ended() })
	m := &member{of: b, l: l}
	b.members = append(b.members, m)
	return m
}

// find returns the member of a loop, nil if there is none. The caller holds mu.
func (b *balance) find(l *loop.Loop) *member {
	for _, m := range b.members {
		if m.l == l {
			return m
		}
	}
	return nil
}

// join adds a new listener to the set.
func (b *balance) join(ln *Listener) {
	m := b.memberOf(ln.l)
	ln.member, ln.counts.member, ln.backlog.member = m, m, m
	if ln.core.Closing() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m.ln, m.takes = ln, b.evens
}

// stop keeps further connections of other loops from the listener. Those on their way still come.
func (m *member) stop() {
	if m == nil {
		return
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.takes = false
}

// leave removes a listener that has closed.
func (m *member) leave(ln *Listener) {
	if m == nil {
		return
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	if m.ln == ln {
		m.ln, m.takes = nil, false
	}
}

// expects reports whether connections are on their way.
func (m *member) expects() bool {
	if m == nil {
		return false
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	return m.coming > 0
}

// begins notes that a server accepts the loop's connections.
func (m *member) begins(s *server) {
	if m != nil {
		m.server = s
	}
}

// ends notes that it no longer does, and gets no others' connections, though it may still wait for its last ones.
func (m *member) ends(s *server) {
	if m != nil && m.server == s {
		m.server = nil
	}
}

// add changes the count by n, which is 1 or -1. G.
func (m *member) add(n int64) {
	if m != nil {
		m.conns.Add(n)
	}
}

// on returns the member of the loop that a connection of the set belongs to; m is the member of the loop that accepted
// it. It returns nil if there is none any more.
func (m *member) on(l *loop.Loop) *member {
	switch {
	case m == nil:
		return nil
	case m.l == l:
		return m
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	return m.of.find(l)
}

// away counts a connection for the loop that it is about to move to, and returns its member; nil if c is not of a set.
func (c *Conn) away(l *loop.Loop) *member {
	from := c.acceptedBy()
	if from == nil || from.member == nil {
		return nil
	}
	m := from.member.of.memberOf(l)
	m.add(1)
	return m
}

// least picks the loop with the fewest connections, of those that take some, have room and can watch the descriptor. It
// counts the connection there and returns the member, nil if there is none. was, unless nil, loses the connection in
// the same step, so that it never counts for no loop. Unless the result is own, the caller must send the connection
// there.
func (b *balance) least(s int32, was, own *member) *member {
	b.mu.Lock()
	defer b.mu.Unlock()
	var best *member
	fewest, at := int64(0), 0
	was.add(-1)
	for i := range b.members {
		i = (b.next + i) % len(b.members)
		m := b.members[i]
		if !m.takes || m.isFull() || m.l.Unwatchable(s) != nil {
			continue
		}
		if n := m.conns.Load(); best == nil || n < fewest {
			best, fewest, at = m, n, i
		}
	}
	if best == nil {
		return nil
	}
	b.next = at + 1
	if best.add(1); best != own {
		best.coming++
	}
	return best
}

// isFull reports whether as many connections as may wait in the member for Accept. The caller holds mu.
func (m *member) isFull() bool { return m.ln.counts.ahead.Load()+int64(m.coming) >= queueMax }

// place chooses the loop for a connection that the listener has accepted, and counts it there. It returns true if that
// is the listener's own loop; otherwise the connection is on its way.
func (ln *Listener) place(s int32) bool {
	m := ln.member
	switch {
	case m == nil:
		return true
	case !m.of.evens:
		m.add(1)
		return true
	}
	to := m.of.least(s, nil, m)
	if to == nil { // all have as many waiting as they may, or a drain has begun
		m.add(1)
		return true
	}
	if to == m {
		return true
	}
	to.send(s)
	return false
}

// send takes a connection to the loop of m, which has been counted for it, or to another if that loop is gone.
func (m *member) send(s int32) {
	if !m.l.Call(func() { m.arrive(s) }) {
		m.stop() // the loop is gone
		m.arrived()
		m.turnAway(m.l, s)
	}
}

// arrived notes that a connection is no longer on its way.
func (m *member) arrived() {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.coming--
}

// arrive takes in a connection that another loop has accepted, on the thread of m's loop.
func (m *member) arrive(s int32) {
	if m.arrived(); m.ln == nil || m.ln.core.Closing() {
		m.turnAway(m.l, s)
	} else {
		m.ln.takeIn(s)
	}
}

// takeIn queues a connection that another loop has accepted, behind those that were accepted ahead.
func (ln *Listener) takeIn(s int32) {
	ln.queue.push(s)
	ln.counts.ahead.Store(int64(ln.queue.len()))
	if ln.share != nil { // a task that waits for its accept to end takes this one
		ln.cancelAccept()
	}
	ln.core.Wake()
	if ln.backlog.expected {
		ln.closeForLate()
	}
}

// turnAway is for a counted connection that no caller of its listener takes. Another loop gets it, or it is closed.
func (m *member) turnAway(l *loop.Loop, s int32) {
	if m != nil {
		if to := m.of.least(s, m, nil); to != nil {
			to.send(s)
			return
		}
	}
	handle.CloseAtOnce(l, s)
}
