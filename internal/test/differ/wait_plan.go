package differ

// The ways to end a wait.
const (
	endDeadline = iota // another actor sets a deadline in the past
	endSoon            // the caller sets a deadline that passes in a moment
	endWithin          // a WithTimeout around it passes
	endContext         // another actor cancels the context around it
	endLate            // the context was done before
	endCancel          // it waits in a task of its own, which is cancelled
	endClose           // another actor closes what it waits on
	endings
)

var endingNames = [...]string{"deadline", "soon", "within", "context", "done context", "cancel", "close"}

// What a wait is on.
const (
	waitOnConn = iota
	waitOnListener
	waitOnPacket
	waitOnLock
	waitOnPipe
)

// wait plans a wait for something that does not come, by actor a, and its end by actor b. No actor may use still
// meanwhile. The wait shares life. event is used by what ends the wait, in order with later waits. shut closes what the
// wait is on, and clear removes a deadline.
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
			// The context exists from the start, so the cancel needs no order with the wait.
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
		// The Close must not be ordered after the end of the wait.
		for _, u := range life {
			g.after(b, own(u.res)...)
		}
		shut(b)
		g.emit(a, withVerb(s, waitFor))
		g.mark(a, still...) // the peer must not end the wait
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

// planDeadline makes a deadline in the past end a read, with bytes there or without, or sets one that is far away.
func planDeadline(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return !c.in.broken })
	if c == nil {
		planPair(g, r)
		return
	}
	a, b := g.caller(c.on, r.actor), g.caller(c.on, r.x)
	if c.on != 0 { // callbacks have timeouts only for what does not come
		r.y = 0
	}
	switch r.y % 4 {
	case 0:
		g.do(a, setDeadline, Step{O: c.id, How: farDeadline},
			append(own(&c.in.event, &c.in.r, &c.out.w), share(&c.life))...)
	case 1: // for a writer
		if canWrite(c) {
			reader, _ := c.answered()
			g.after(a, own(&reader.in.r)...) // bytes that were accepted and not yet sent would stay behind
			g.do(a, setDeadline, Step{O: c.id, How: pastWriteDeadline}, append(own(&c.out.w), share(&c.life))...)
			g.do(b, writeLate, Step{O: c.id, N: size(r.x)}, append(own(&c.out.w), share(&c.life))...)
			g.do(a, setDeadline, Step{O: c.id, How: noWriteDeadline}, append(own(&c.out.w), share(&c.life))...)
		}
	default: // ordered with the reads: what is there stays unread
		g.do(a, setDeadline, Step{O: c.id, How: pastReadDeadline}, c.alarm()...)
		g.do(b, readLate, Step{O: c.id, How: int(r.y>>3) % 3}, c.reading()...)
		g.do(a, setDeadline, Step{O: c.id, How: noReadDeadline}, c.alarm()...)
	}
}

// planWait makes a read wait for something that does not come, and ends it.
func planWait(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return len(c.in.flying) == 0 && !c.in.shut && !c.in.broken })
	if c == nil {
		planPair(g, r)
		return
	}
	a := g.caller(c.on, r.actor)
	still := own(&c.in.r, &c.in.w) // no actor may write meanwhile
	end, how := int(r.x)%endings, int(r.y>>2)%readsThatWait
	b, ok := g.second(c.on, a, r.y)
	if c.on != 0 {
		end = []int{endSoon, endWithin, endClose}[end%3]
		if !ok && end == endClose {
			end = endSoon
		}
		if how == waitToFill && end != endClose { // a ReadFull has no way to end by itself
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

// planLate makes one byte come before a deadline, to a loop that is late. More bytes might be read in two calls, the
// second of them after the deadline; the same holds for a Peek and the Discard after it. Over TCP the kernel may
// deliver the byte later than it is sent.
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

// planStuckWrite writes more than the socket takes, and ends the write. The reader finds out how much was sent.
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
	g.after(d, own(&c.out.w)...) // reading would make room
	g.do(d, readStuck, Step{O: c.peer.id, Segs: []segment{seg}}, c.peer.reading()...)
}

// meetIf makes actor then wait for everything that is planned for actor first, if they differ and it does not yet.
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
