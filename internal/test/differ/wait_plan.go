package differ

// Ways to end a wait.
const (
	endDeadline = iota // another sets one that is over
	endSoon            // the caller's own, in a moment
	endWithin          // a WithTimeout around it
	endContext         // another cancels the context around it
	endLate            // the context is done before
	endCancel          // it waits in a task of its own, which is cancelled
	endClose           // another closes what it waits on
	endings
)

var endingNames = [...]string{"deadline", "soon", "within", "context", "done context", "cancel", "close"}

// What waits.
const (
	waitOnConn = iota
	waitOnListener
	waitOnPacket
	waitOnLock
	waitOnPipe
)

// wait has a wait for what doesn't come, and its end by another. still is what nobody may use meanwhile, and life what
// the wait shares; event is what the end is, for waits to come; shut closes what is waited on, and clear takes a
// deadline away.
func (g *planner) wait(a, b, on, id, how, end int, still, life, event []use, shut, clear func(b int)) {
	s := Step{O: id, M: on, How: how, N: end, Name: endingNames[end]}
	uses := append(append([]use(nil), still...), life...)
	switch end {
	case endDeadline:
		g.after(b, still...)
		g.do(b, setDeadline, Step{O: id, How: pastReadDeadline}, append(event, life...)...)
		g.do(a, waitFor, s, uses...)
		g.meetIf(b, a)
		clear(a)
	case endContext, endCancel:
		s.P = g.object()
		g.after(a, uses...)
		s.verb = waitFor
		if end == endCancel {
			s.verb = spawnWait
		}
		if end == endContext {
			// The context is there from the start.
			g.after(b, still...)
			g.emit(b, Step{verb: cancelIt, O: s.P, Name: s.Name})
			g.emit(a, s)
			g.mark(a, uses...)
			break
		}
		g.emit(a, s)
		g.meet(a, b)
		g.emit(b, Step{verb: cancelIt, O: s.P, Name: s.Name})
		g.emit(a, Step{verb: joinWait, O: s.P})
		g.mark(a, uses...)
	case endClose:
		g.after(b, still...)
		g.after(b, life...)
		g.after(a, uses...)
		// The end of the wait is not among what Close is behind.
		for _, u := range life {
			g.after(b, own(u.res)...)
		}
		shut(b)
		g.emit(a, withVerb(s, waitFor))
		g.mark(a, still...) // the peer must not end it
	default:
		g.do(a, waitFor, s, uses...)
		if end == endSoon {
			clear(a)
		}
	}
}

func withVerb(s Step, v *verb) Step {
	s.verb = v
	return s
}

// planDeadline has a deadline that is over end a read, with bytes there or without, or sets one that is far away.
func planDeadline(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return !c.in.broken })
	if c == nil {
		planPair(g, r)
		return
	}
	a, b := g.caller(c.on, r.actor), g.caller(c.on, r.x)
	if c.on != 0 { // their timeouts are for what does not come
		r.y = 0
	}
	switch r.y % 4 {
	case 0:
		g.do(a, setDeadline, Step{O: c.id, How: farDeadline},
			append(own(&c.in.event, &c.in.r, &c.out.w), share(&c.life))...)
	case 1: // a writer's
		if canWrite(c) {
			reader, _ := c.answered()
			g.after(a, own(&reader.in.r)...) // what was accepted and not sent yet would stay
			g.do(a, setDeadline, Step{O: c.id, How: pastWriteDeadline}, append(own(&c.out.w), share(&c.life))...)
			g.do(b, writeLate, Step{O: c.id, N: size(r.x)}, append(own(&c.out.w), share(&c.life))...)
			g.do(a, setDeadline, Step{O: c.id, How: noWriteDeadline}, append(own(&c.out.w), share(&c.life))...)
		}
	default: // in order with the reads: what is there stays unread
		g.do(a, setDeadline, Step{O: c.id, How: pastReadDeadline}, c.alarm()...)
		g.do(b, readLate, Step{O: c.id, How: int(r.y>>3) % 3}, c.reading()...)
		g.do(a, setDeadline, Step{O: c.id, How: noReadDeadline}, c.alarm()...)
	}
}

// planWait has a read wait for what does not come, and ends it.
func planWait(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return len(c.in.flying) == 0 && !c.in.shut && !c.in.broken })
	if c == nil {
		planPair(g, r)
		return
	}
	a := g.caller(c.on, r.actor)
	still := own(&c.in.r, &c.in.w) // nobody may write meanwhile
	end, how := int(r.x)%endings, int(r.y>>2)%readsThatWait
	b, ok := g.second(c.on, a, r.y)
	if c.on != 0 {
		end = []int{endSoon, endWithin, endClose}[end%3]
		if !ok && end == endClose {
			end = endSoon
		}
		if how == waitToFill && end != endClose { // it has no end of its own
			how = 0
		}
	}
	g.wait(a, b, waitOnConn, c.id, how, end, still, []use{share(&c.life)},
		own(&c.in.event), func(b int) {
			g.do(b, closeConn, Step{O: c.id}, own(&c.life, &c.out.w, &c.in.event)...)
			g.gone(c)
		}, func(b int) {
			g.do(b, setDeadline, Step{O: c.id, How: noReadDeadline}, c.alarm()...)
		})
}

// planLate has a byte come before a deadline to a loop that is late. More bytes might be read in two calls, of which
// one would begin behind the deadline, and so might a Peek and what discards what it saw. Over TCP the kernel may
// deliver it later than it is sent.
func planLate(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return len(c.in.flying) == 0 && c.peer != nil && canWrite(c.peer) && c.network != "tcp" && c.on == 0 &&
			c.peer.on == 0
	})
	if c == nil {
		planPair(g, r)
		return
	}
	how := []int{wholeWay, discardWay, vectorWay, nextWay}[int(r.x)%4]
	if c.records() {
		how = recordWay
	}
	seg := segment{c.in.id, c.in.at, 1}
	c.in.at++
	g.do(g.actor(r.actor), readInTime, Step{O: c.id, P: c.peer.id, How: how, Name: readNames[how], N: 1,
		Segs: []segment{seg}}, append(own(&c.in.w, &c.in.r, &c.in.event), share(&c.life), share(&c.peer.life))...)
}

// planStuckWrite writes more than the socket takes, and ends that. How much went out is for the reader to find.
func planStuckWrite(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool {
		return c.on == 0 && canWrite(c) && c.peer != nil && c.network == "unix"
	})
	if c == nil {
		planPair(g, r)
		return
	}
	a := g.actor(r.actor)
	b, d := g.other(a, r.x), g.caller(c.peer.on, r.x>>3)
	g.after(a, own(&c.peer.in.r)...)
	if n := total(c.out.flying); n > 0 {
		g.read(d, c.peer, n, 0)
		g.after(a, own(&c.peer.in.r)...)
	}
	seg := segment{c.out.id, c.out.at, stuckSize}
	both := append(own(&c.out.w), share(&c.life))
	ended := "deadline"
	switch r.y % 3 {
	case 0:
		g.after(b, append(own(&c.peer.in.r), both...)...)
		g.do(b, setDeadline, Step{O: c.id, How: pastWriteDeadline}, share(&c.life))
		g.do(a, stuckWrite, Step{O: c.id, Segs: []segment{seg}, Name: "deadline"}, both...)
		g.after(a, own(&c.out.w)...)
	case 1:
		ended = "soon"
		fallthrough
	default:
		if r.y%3 == 2 {
			ended = "within"
		}
		g.do(a, stuckWrite, Step{O: c.id, Segs: []segment{seg}, Name: ended}, both...)
	}
	g.meetIf(b, a)
	g.do(a, setDeadline, Step{O: c.id, How: noWriteDeadline}, both...)
	g.closeWrite(a, c)
	g.after(d, own(&c.out.w)...) // reading makes room
	g.do(d, readStuck, Step{O: c.peer.id, Segs: []segment{seg}}, c.peer.reading()...)
}

// meetIf has an actor go on behind all that another was given, if it is another.
func (g *planner) meetIf(first, then int) {
	if first != then && g.clock[then][first] < len(g.plan.Actors[first]) {
		g.meet(first, then)
	}
}

func planAcceptWait(g *planner, r record) {
	ln := pick(g.listeners, r.object, func(ln *listener) bool { return !ln.served })
	if ln == nil {
		ln = g.listen(r)
	}
	a := g.caller(ln.on, r.actor)
	end := int(r.x) % endings
	b, ok := g.second(ln.on, a, r.y)
	if ln.on != 0 {
		end = endClose
	}
	if !ok {
		return
	}
	g.wait(a, b, waitOnListener, ln.id, int(r.y>>2)%2, end, own(&ln.accepts, &ln.dials),
		[]use{share(&ln.life)}, nil, func(b int) {
			g.do(b, closeListener, Step{O: ln.id}, own(&ln.life)...)
			g.listeners = without(g.listeners, ln)
		}, func(b int) {
			g.do(b, setDeadline, Step{O: ln.id, How: noReadDeadline}, own(&ln.life, &ln.accepts)...)
		})
}
