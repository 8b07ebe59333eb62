package differ

// A connection or listener that callbacks hold belongs to the callbacks of one loop alone: its field on is that loop's
// number plus one. on is 0 for objects that all actors may use; callbacks use those by tasks.

// caller returns the n-th of the actors that may use an object with this on.
func (g *planner) caller(on int, n byte) int {
	if on == 0 {
		return g.actor(n)
	}
	fit := g.callbacks(on, -1)
	return fit[int(n)%len(fit)]
}

// second returns an actor other than a that may use the object, if there is one.
func (g *planner) second(on, a int, n byte) (b int, ok bool) {
	if on == 0 {
		return g.other(a, n), true
	}
	fit := g.callbacks(on, a)
	if len(fit) == 0 {
		return 0, false
	}
	return fit[int(n)%len(fit)], true
}

// callbacks returns the actors of callbacks on this loop, or on any loop if on is 0, except but.
func (g *planner) callbacks(on, but int) (all []int) {
	for i, c := range g.plan.Callers {
		if c.Kind == Callback && i != but && (on == 0 || c.Loop == on-1) {
			all = append(all, i)
		}
	}
	return all
}

// holds returns the on of an object that actor a makes: callbacks keep three in four for themselves.
func (g *planner) holds(a int, n byte) int {
	if c := g.plan.Callers[a]; c.Kind == Callback && n%4 > 0 {
		return c.Loop + 1
	}
	return 0
}

// makes returns the argument that stands for the loop in the step that makes an object.
func makes(on, loop int) int {
	if on != 0 {
		return byCallbacks
	}
	return loop % Loops
}

// planHand makes callbacks take a connection, or give it away.
func planHand(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return c.on == 0 || !c.out.shut })
	all := g.callbacks(0, -1)
	if c == nil || len(all) == 0 {
		planPair(g, r)
		return
	}
	a := all[int(r.actor)%len(all)]
	on := g.plan.Callers[a].Loop + 1
	if c.on != 0 {
		a, on = g.caller(c.on, r.actor), 0
	}
	g.do(a, hand, Step{O: c.id}, append(c.all(), own(&c.in.w)...)...)
	c.on = on
}

// burstMax is how many pieces a burst may have, and burstBytesMax how many bytes.
const (
	burstMax      = 600
	burstBytesMax = 500_000
)

// planBurst makes one actor write many pieces as fast as it can, in all ways and some of them empty, while another
// actor reads them.
func planBurst(g *planner, r record) {
	records := r.y&1 == 0
	fits := func(c *conn) bool { return canWrite(c) && c.records() == records }
	c := g.conn(r.object, fits)
	if c == nil && records && len(g.listeners) < 3 {
		g.listen(record{actor: r.actor, x: forRecords, y: r.x})
		planPair(g, record{actor: r.actor, object: byte(len(g.listeners) - 1), y: r.x})
		c = g.conn(r.object, fits)
	}
	if c == nil {
		c = g.conn(r.object, canWrite)
	}
	if c == nil {
		planPair(g, r)
		return
	}
	reader, d := c.answered()
	a := g.caller(c.on, r.actor)
	b, ok := g.second(reader.on, a, r.x)
	if !ok || c.records() && total(d.flying) > 0 {
		return
	}
	g.after(b, append(reader.reading(), share(&c.life))...)
	g.after(a, c.writing()...)
	n, most, sum := 1+int(r.x)%40, 1<<(r.y%20), 0
	if c.records() || r.y >= 200 { // more than sockets take
		n, most = burstMax-int(r.x), min(most, 1<<15)
	}
	s := Step{O: c.id, N: n, M: int(r.x), How: int(r.y)}
	for i := range n {
		k := 0
		if h := (i+3)*(int(r.x)+7)*40_503 + int(r.y)*17; h>>3%4 > 0 {
			k = min(1+h>>5%most, burstBytesMax-sum)
		}
		sum += k
		s.Segs = append(s.Segs, segment{c.out.id, c.out.at, k})
		c.out.at += k
	}
	g.do(a, burst, s, c.writing()...)
	if c.records() { // a record of no bytes must not come after the end, which it looks like
		g.do(b, readRecords, Step{O: reader.id, N: n, Segs: s.Segs}, append(reader.reading(), share(&c.life))...)
		g.mark(b, own(&c.out.w)...)
		return
	}
	for _, seg := range s.Segs {
		if seg.N > 0 {
			d.flying = append(d.flying, seg)
		}
	}
	if n = total(d.flying); n > 0 {
		g.read(b, reader, n, []int{wholeWay, pieceWay, discardWay, vectorWay}[r.y>>4%4])
	}
}

// planPerish makes a callback of a connection panic or exit. For the peer that must look like a Close.
func planPerish(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return c.on != 0 && !c.records() })
	if c == nil {
		planHand(g, r)
		return
	}
	a, how := g.caller(c.on, r.actor), int(r.y)%6
	g.drain(a, c)
	s := Step{O: c.id, How: how}
	switch shown := how/2 == 2; {
	case shown && c.peer != nil && canWrite(c.peer):
		g.write(g.caller(c.peer.on, r.x), c.peer, 1, 0)
		s.Segs = c.in.take(1)
	case shown:
		s.How -= 2
	}
	if c.out.shut && s.How/2 == 0 { // nothing reports the end of a write
		s.How += 2
	}
	uses := c.all()
	if c.out.shut && c.peer != nil { // nor is there a wait for what is unsent: the peer has to have it
		g.drain(g.caller(c.peer.on, r.x), c.peer)
		uses = append(uses, own(&c.peer.in.r)...)
	}
	g.do(a, perish, s, uses...)
	g.gone(c)
}

// planStuckEnd makes an actor end a connection on which it has written more than the peer reads. The peer then reads
// what was sent.
func planStuckEnd(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return c.on != 0 && c.peer != nil && canWrite(c) && c.network == "unix"
	})
	if c == nil {
		planHand(g, r)
		return
	}
	a, b := g.caller(c.on, r.actor), g.caller(c.peer.on, r.x)
	g.drain(a, c)
	if n := total(c.peer.in.flying); n > 0 {
		g.read(b, c.peer, n, wholeWay)
	}
	g.after(a, own(&c.peer.in.r)...)
	seg := segment{c.out.id, c.out.at, stuckSize}
	g.do(a, stuckEnd, Step{O: c.id, Segs: []segment{seg}}, c.all()...)
	g.after(b, own(&c.out.w)...)
	g.do(b, readSome, Step{O: c.peer.id, Segs: []segment{seg}}, c.peer.reading()...)
	g.gone(c)
}

// stop plans the stop of each loop that has callbacks, with what is open there, after everything else.
func (g *planner) stop() {
	for on := 1; on <= Loops; on++ {
		fit := g.callbacks(on, -1)
		if len(fit) == 0 {
			continue
		}
		a := fit[0]
		for b := range g.plan.Callers {
			g.meetIf(b, a)
		}
		s := Step{M: on - 1}
		for _, c := range g.conns {
			if c.on == on {
				s.Objs = append(s.Objs, c.id)
			}
		}
		for _, ln := range g.listeners {
			if ln.on == on {
				s.Objs = append(s.Objs, ln.id)
			}
		}
		g.do(a, stopLoop, s)
	}
}
