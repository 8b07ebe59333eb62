package sock

import (
	"cmp"
	"net"
	"slices"

	"ringo/internal/handle"
	"ringo/internal/loop"
)

// Rebalance moves connections of Serve from loops that had many requests since its last call to loops that had few;
// connections without requests move from loops with many connections to loops with few. It returns how many it moved.
// It moves only connections that are between two requests, with nothing unread, unsent or leased, and whose Handlers on
// both loops have Moved. It counts requests, whatever time they took, and moves nothing from a loop that has at most a
// sixteenth more than the mean. Call it every few seconds, for example. In a drain, and during another call for the
// set, it moves nothing. The set need not have ListenConfig.Balance.
//
// Any goroutine may call it; it goes to one loop after the other, and waits for each. A task parks; if it is cancelled
// meanwhile, Rebalance returns that error with the number.
func (s *ListenerSet) Rebalance() (moved int, err error) {
	if s.network == "" {
		return 0, errZero
	}
	here, _ := loop.Current()
	if err := s.strange(here); err != nil {
		return 0, s.failed(err)
	}
	b := &s.balance
	if !b.evening.CompareAndSwap(false, true) {
		return 0, nil
	}
	defer b.evening.Store(false)
	var all []*share
	for _, m := range b.listening() {
		sh := &share{of: m}
		switch err := onOwner(m.l, sh.look); {
		case err == nil:
			all = append(all, sh)
		case err != errEnded:
			return 0, s.failed(err)
		}
	}
	even(all)
	for _, sh := range all {
		if len(sh.gives) == 0 {
			continue
		}
		err := onOwner(sh.of.l, sh.give)
		if moved += sh.given; err != nil && err != errEnded {
			return moved, s.failed(err)
		}
	}
	return moved, nil
}

func (s *ListenerSet) failed(err error) error {
	return &net.OpError{Op: "rebalance", Net: s.network, Addr: s.Addr(), Err: err}
}

// listening returns the members that have a listener.
func (b *balance) listening() []*member {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.members), func(m *member) bool { return m.ln == nil })
}

// share is the part of a set's load that one loop has.
type share struct {
	of       *member
	takes    bool   // its Handler takes connections of other loops
	requests uint64 // since the last Rebalance
	conns    int
	busy     []candidate // that had requests and may move, those with the most first
	quiet    []candidate // that had none and may move
	gives    []gift
	given    int // how many gives have moved
}

// candidate is a connection that may move.
type candidate struct {
	c        *Conn
	requests uint32
}

// gift is a connection that is to move.
type gift struct {
	c  *Conn
	to *member
}

// lookedAt is how many handles look visits in a turn.
const lookedAt = 256

// look counts the load of a loop, and finds its candidates, in a task of the loop.
func (sh *share) look() error {
	m := sh.of
	s := m.server
	if s == nil {
		return nil
	}
	sh.takes = s.movesConns()
	var at place
	m.l.Handles().Register(&at.Handle, &at)
	defer m.l.Handles().Unregister(&at.Handle)
	for n := 1; ; n++ {
		o, ok := at.Next(m.l)
		if !ok {
			break
		}
		if h, ok := handle.Of(o).(*connHooks); ok && h.serve.by == s {
			sh.add((*Conn)(h))
		}
		if n%lookedAt == 0 && !m.l.YieldTurn() {
			return m.l.Cause()
		}
	}
	sh.conns = int(m.conns.Load())
	slices.SortStableFunc(sh.busy, func(a, b candidate) int { return cmp.Compare(b.requests, a.requests) })
	return nil
}

// add counts one of the loop's connections.
func (sh *share) add(c *Conn) {
	n := c.serve.requests
	c.serve.requests = 0
	sh.requests += uint64(n)
	switch {
	case !sh.takes || !c.mayMove():
	case n > 0:
		sh.busy = append(sh.busy, candidate{c, n})
	default:
		sh.quiet = append(sh.quiet, candidate{c, 0})
	}
}

// place is how far a look has come in the list of what is open on a loop.
type place struct{ loop.Handle }

// Drain and Abandon do nothing.
func (*place) Drain()   {}
func (*place) Abandon() {}

// even decides which connections move where.
func even(all []*share) {
	all = slices.DeleteFunc(slices.Clone(all), func(sh *share) bool { return !sh.takes })
	if len(all) < 2 {
		return
	}
	level(all, func(sh *share) *[]candidate { return &sh.busy }, func(sh *share) int64 { return int64(sh.requests) },
		func(from, to *share, g candidate) {
			from.requests -= uint64(g.requests)
			to.requests += uint64(g.requests)
			from.conns, to.conns = from.conns-1, to.conns+1
		})
	level(all, func(sh *share) *[]candidate { return &sh.quiet }, func(sh *share) int64 { return int64(sh.conns) },
		func(from, to *share, _ candidate) { from.conns, to.conns = from.conns-1, to.conns+1 })
}

// tolerance is the part of the mean that a loop may have beyond it: a sixteenth.
const tolerance = 16

// level makes the loops with the most load give connections to those with the least. A connection may be at most half
// of the gap between the two. The gap never grows, so a connection that is once too large for it remains so, and is
// dropped.
func level(all []*share, of func(*share) *[]candidate, load func(*share) int64,
	give func(from, to *share, g candidate)) {
	byLoad := func(a, b *share) int { return cmp.Compare(load(a), load(b)) }
	total := int64(0)
	for _, sh := range all {
		total += load(sh)
	}
	most := (total + total/tolerance) / int64(len(all))
	for givers := slices.Clone(all); len(givers) > 0; {
		from, to := slices.MaxFunc(givers, byLoad), slices.MinFunc(all, byLoad)
		list := of(from)
		gap := load(from) - load(to)
		for len(*list) > 0 && 2*weight((*list)[0]) > gap {
			*list = (*list)[1:]
		}
		if len(*list) == 0 || load(from) <= most {
			givers = slices.DeleteFunc(givers, func(sh *share) bool { return sh == from })
			continue
		}
		g := (*list)[0]
		*list = (*list)[1:]
		from.gives = append(from.gives, gift{g.c, to.of})
		give(from, to, g)
	}
}

// weight returns what a connection adds to its loop's load: its requests, or 1.
func weight(g candidate) int64 { return max(1, int64(g.requests)) }

// give moves the connections, in a task of the loop that they leave.
func (sh *share) give() error {
	l := sh.of.l
	for _, g := range sh.gives {
		switch {
		case l.Canceled():
			return l.Cause()
		case sh.of.server == nil || !sh.of.server.movesConns():
			return nil
		}
		if g.c.serve.by == sh.of.server && g.c.mayMove() && g.c.moveServed(g.to) {
			sh.given++
		}
	}
	return nil
}

// movesConns reports whether connections may move to this server, or from it.
func (s *server) movesConns() bool { return s.h.Moved != nil && !s.ended && !s.l.Draining() }

// mayMove reports whether a connection of Serve is between two requests, with nothing under way.
func (c *Conn) mayMove() bool {
	s := &c.serve
	return s.resting() && s.state == opened && !s.leaving && s.why == goesOn && !c.in.Any() && !c.in.Over() &&
		!c.core.Closing() && !c.core.Owes() && c.held.Load() == 0 &&
		!c.core.Own(handle.In).Taken() && c.core.Reclaim(handle.Out) && !c.core.Own(handle.Out).Taken()
}

// moveServed moves a connection, which may move, to another loop's server, or back to its own if the other takes none
// any more. Meanwhile no Request begins, and the connection counts for both loops. T, parks.
func (c *Conn) moveServed(to *member) bool {
	if to.l.Ended() || to.l.Unwatchable(c.core.FD().Sys()) != nil {
		return false
	}
	p := new(detachState)
	c.keepPlace()
	c.serve.running, c.detachState = true, p
	if !c.core.Replace() || !c.core.BeginCloseKeepFD() {
		c.serve.running, c.detachState = false, nil
		c.stays()
		return false
	}
	away, home := c.away(to.l), c.away(c.l)
	c.core.AwaitClosed()
	was := c.serve
	silent := c.l.NowNS() - was.last
	moved := false
	to.l.Go(func() {
		if s := to.server; s != nil && s.movesConns() {
			s.takeOver(c.rebind(to.l, p), was, silent)
			moved = true
		}
	}).Wait()
	if moved {
		home.add(-1)
	} else {
		away.add(-1)
		was.by.takeOver(c.rebind(c.l, p), was, silent)
	}
	c.serve.end()
	return moved
}

// takeOver serves a connection that was another Conn before, and whose peer has been silent for that long.
func (s *server) takeOver(c *Conn, was serving, silent int64) {
	s.open++
	n := &c.serve
	n.by, n.state, n.spoken, n.requests, n.last = s, arrived, was.spoken, was.requests, s.l.NowNS()-silent
	n.start(c)
}
