package differ

// planEnd ends a direction, and makes the reader read up to the end.
func planEnd(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return canWrite(c) })
	if c == nil {
		return
	}
	g.closeWrite(g.caller(c.on, r.actor), c)
	if r.x&1 == 0 {
		reader, _ := c.answered()
		g.readEnd(g.caller(reader.on, r.x), reader, int(r.y))
	}
}

func (g *planner) closeWrite(a int, c *conn) {
	g.do(a, closeWrite, Step{O: c.id}, c.writing()...)
	c.out.shut = true
	if c.peer == nil { // the server ends its direction, too
		c.in.shut = true
	}
}

// readEnd reads all that is left, up to the end.
func (g *planner) readEnd(a int, c *conn, how int) {
	for c.records() && len(c.in.flying) > 0 {
		g.read(a, c, c.in.flying[0].N, recordWay)
	}
	if c.records() {
		how = 0
	}
	g.do(a, readEnd, Step{O: c.id, How: how % len(endWays), Name: endWays[how%len(endWays)],
		Segs: c.in.take(total(c.in.flying))}, c.reading()...)
}

// planRelay copies what is left of one connection to another.
func planRelay(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return c.in.shut && !c.in.broken && !c.records() })
	if c == nil {
		planEnd(g, r)
		return
	}
	n := total(c.in.flying)
	to := g.conn(r.x, func(d *conn) bool {
		return d != c && d.on == c.on && !d.records() && d.peer != nil && canWrite(d) && d.out.room() >= n &&
			len(d.out.flying)+len(c.in.flying) <= piecesMax
	})
	if to == nil {
		return
	}
	segs := c.in.take(n)
	to.out.flying = append(to.out.flying, segs...)
	g.do(g.caller(c.on, r.actor), relay, Step{O: c.id, P: to.id, Segs: segs, How: int(r.y) % 2},
		append(own(&c.in.r, &to.out.w), share(&c.life), share(&to.life), share(&c.in.event))...)
}

// drain makes an actor read what is on its way to a connection, before the connection is closed. A Close with unread
// bytes would send a reset, but only if they are still in the kernel, which is not determined.
func (g *planner) drain(a int, c *conn) {
	for c.records() && len(c.in.flying) > 0 {
		g.read(a, c, c.in.flying[0].N, recordWay)
	}
	if n := total(c.in.flying); n > 0 {
		g.read(a, c, n, 0)
	}
}

func planClose(g *planner, r record) {
	if c := g.conn(r.object, nil); c != nil && len(g.conns) > 1 {
		g.close(g.caller(c.on, r.actor), c, int(r.x)%4)
	}
}

func (g *planner) close(a int, c *conn, how int) {
	g.drain(a, c)
	g.do(a, closeConn, Step{O: c.id, How: how}, c.all()...)
	g.gone(c)
}

// gone removes a closed connection from the plan's open ones.
func (g *planner) gone(c *conn) {
	c.out.shut, c.in.broken = true, true
	g.conns = without(g.conns, c)
}

// planGone writes to a peer that has closed.
func planGone(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return c.out.broken && c.peer != nil && c.network == "unix" && (c.on == 0 || !c.out.shut)
	})
	if c == nil {
		return
	}
	a := g.caller(c.on, r.actor)
	uses := append(own(&c.out.w, &c.peer.life), share(&c.life))
	if c.on != 0 { // a failed write ends a connection of callbacks, and what else is done with it
		g.drain(a, c)
		uses = append(c.all(), own(&c.peer.life)...)
	}
	g.do(a, writeGone, Step{O: c.id, N: 1 + int(r.x)}, uses...)
	if c.on != 0 {
		g.close(a, c, 0)
	}
}

// planLater calls methods of a closed connection.
func planLater(g *planner, r record) {
	if c := g.conn(r.object, nil); c != nil && len(g.conns) > 1 {
		g.close(g.caller(c.on, r.actor), c, 0)
		g.do(g.caller(c.on, r.x), useClosed, Step{O: c.id}, own(&c.life)...)
	}
}

// planReset closes a TCP connection with a reset, which a reader at the other end must see.
func planReset(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return c.network == "tcp" && c.peer != nil && canWrite(c) && canWrite(c.peer)
	})
	if c == nil {
		planPair(g, r)
		return
	}
	a, b := g.caller(c.on, r.actor), g.caller(c.peer.on, r.x)
	g.drain(a, c)
	g.drain(b, c.peer)                                            // a reset may overtake bytes
	g.after(a, own(&c.peer.life, &c.peer.in.r, &c.peer.out.w)...) // the dial may not have returned yet
	g.do(a, reset, Step{O: c.id}, c.all()...)
	g.gone(c)
	g.do(b, readReset, Step{O: c.peer.id, How: int(r.y) % 3}, c.peer.reading()...)
	// After a reset nothing more is the same on all machines.
	g.do(b, closeConn, Step{O: c.peer.id}, c.peer.all()...)
	g.gone(c.peer)
}

func planMove(g *planner, r record) {
	c := g.conn(r.object, nil)
	if c == nil {
		planPair(g, r)
		return
	}
	to := int(r.x) % Loops
	if c.on != 0 {
		if c.out.shut || len(g.callbacks(to+1, -1)) == 0 {
			return
		}
		defer func() { c.on = to + 1 }()
	}
	g.do(g.caller(c.on, r.actor), moveTo, Step{O: c.id, N: to}, c.all()...)
}

func planLeave(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return !c.records() && !c.in.broken && !c.out.broken && (c.on == 0 || !c.out.shut)
	})
	if c == nil {
		return
	}
	segs, to := c.in.take(total(c.in.flying)), int(r.x)%Loops
	if c.on != 0 { // it returns to the loop of its callbacks
		to = c.on - 1
	}
	g.do(g.caller(c.on, r.actor), leave, Step{O: c.id, N: to, Segs: segs},
		own(&c.life, &c.in.r, &c.in.w, &c.in.event, &c.out.w)...)
}

func planOption(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return !c.in.broken && !c.out.broken })
	if c == nil {
		return
	}
	g.do(g.caller(c.on, r.actor), option, Step{O: c.id, How: int(r.x) % len(optionNames), N: int(r.y & 1),
		Name: optionNames[int(r.x)%len(optionNames)]}, append(own(&c.out.w), share(&c.life))...)
}

func planRefused(g *planner, r record) {
	a := g.actor(r.actor)
	g.do(a, refused, Step{N: makes(g.holds(a, r.x>>1), int(r.x)), How: int(r.y) % 4, Name: refusedNames[int(r.y)%4]})
}

func planCloseListener(g *planner, r record) {
	ln := pick(g.listeners, r.object, nil)
	if ln == nil {
		return
	}
	g.closeListener(g.caller(ln.on, r.actor), ln)
	if r.x&1 == 0 {
		g.do(g.caller(ln.on, r.x), useListener, Step{O: ln.id}, own(&ln.life)...)
	}
}
