package sock

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/loop"
)

// balance is how the connections of a set's listeners are spread over the loops.
//
// A connection counts for one loop at a time, from when it is decided that this one is to have it, and all end their
// count alike, on whatever thread and loop they end: where a loop counts its own at once, and others' later, or none
// while a connection is on its way, the next ones all go to one loop.
type balance struct {
	evens bool // ListenConfig.Balance: a connection goes to the loop that has the fewest

	mu      sync.Mutex
	members []*member
	next    int // the member that goes first among those that have equally many

	evening atomic.Bool // by Rebalance
}

// member is a loop that has connections of the set's, or a listener. There is one for each loop until that ends.
type member struct {
	of    *balance
	l     *loop.Loop
	conns atomic.Int64 // that it has, or is to have

	// Changed by its own loop under of.mu.
	ln    *Listener // nil: it has none
	takes bool      // the listener takes what others have accepted
	// Under of.mu, and counted down by its own loop.
	coming int // connections that others have accepted for it, and that are on their way

	server *server // that calls Accept, the last one to begin; its own loop's
}

// memberOf is the member of a loop, made if there is none.
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

// find is memberOf under mu, but nil if there is none.
func (b *balance) find(l *loop.Loop) *member {
	for _, m := range b.members {
		if m.l == l {
			return m
		}
	}
	return nil
}

// join makes a new listener one of the set's.
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

// stop says that the listener is to be given no more. What is on its way comes all the same.
func (m *member) stop() {
	if m == nil {
		return
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.takes = false
}

// leave says that a listener has closed.
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

// expects reports whether something is on its way.
func (m *member) expects() bool {
	if m == nil {
		return false
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	return m.coming > 0
}

// begins says that a server accepts what comes to the loop.
func (m *member) begins(s *server) {
	if m != nil {
		m.server = s
	}
}

// ends says that it does not any more, and is given no others' connections, though it may wait for its last ones.
func (m *member) ends(s *server) {
	if m != nil && m.server == s {
		m.server = nil
	}
}

// add counts a connection, or no longer: n is 1 or -1. G.
func (m *member) add(n int64) {
	if m != nil {
		m.conns.Add(n)
	}
}

// on is the member of the loop that one of the set's connections belongs to, of which m is the one of the loop that
// accepted it; nil if there is none any more.
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

// away counts a connection for the loop that it is about to be moved to; nil if it is none of a set's.
func (c *Conn) away(l *loop.Loop) *member {
	from := c.acceptedBy()
	if from == nil || from.member == nil {
		return nil
	}
	m := from.member.of.memberOf(l)
	m.add(1)
	return m
}

// least counts a connection for the loop that has the fewest, of those that take some and can wait for it, and gives
// that; nil if none does. was, unless nil, no longer has it: in one step, lest it counts for nobody in between. It goes
// to own by itself, and to others by send.
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

// isFull reports whether as many wait there to be asked for as may. The caller holds mu.
func (m *member) isFull() bool { return m.ln.counts.ahead.Load()+int64(m.coming) >= queueMax }

// place decides which loop is to have a connection that the listener has accepted, and counts it there. It reports
// whether it is the listener's own. If not the connection is on its way.
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

// send takes a connection to another loop, which has been counted for it, or to yet another.
func (m *member) send(s int32) {
	for to := m; ; {
		if to.l.Call(func() { to.arrive(s) }) {
			return
		}
		to.stop() // its loop is gone
		if to = to.pass(s); to == nil {
			discard(m.l, s)
			return
		}
	}
}

// pass counts a connection that m has been counted for, and can't take, for another loop; nil if there is none.
func (m *member) pass(s int32) *member {
	m.arrived()
	return m.of.least(s, m, nil)
}

// arrived says that one that was on its way is not any more.
func (m *member) arrived() {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.coming--
}

// arrive takes in a connection that another loop has accepted, on the loop's own thread.
func (m *member) arrive(s int32) {
	ln := m.ln
	if ln == nil || ln.core.Closing() {
		if to := m.pass(s); to != nil {
			to.send(s)
		} else {
			discard(m.l, s)
		}
		return
	}
	m.arrived()
	ln.takeIn(s)
}

// takeIn takes in a connection that another loop has accepted, behind those that were accepted ahead.
func (ln *Listener) takeIn(s int32) {
	ln.queue.push(s)
	ln.counts.ahead.Store(int64(ln.queue.len()))
	if ln.share != nil { // who waits there for the end of an accept takes this one
		ln.cancelAccept()
	}
	ln.core.Wake()
	if ln.backlog.expected {
		ln.closeForLate()
	}
}

// turnAway is for a connection that has been counted, and that nobody asks a listener for any more. Others may take it.
func (m *member) turnAway(l *loop.Loop, s int32) {
	if m == nil {
		discard(l, s)
	} else if to := m.of.least(s, m, nil); to != nil {
		to.send(s)
	} else {
		discard(l, s)
	}
}
