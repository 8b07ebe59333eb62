package differ

// A channel of the plan, with the values that are in it.
type channel struct {
	id, capacity int
	send, recv   res
	values       []int
	next         int
	closed       bool
}

// A counter is a number under a Mutex, or a count of units of a Semaphore.
type counter struct {
	id   int
	made res
	adds res // shared by actors that add, exclusive for those that read the sum
}

func planChan(g *planner, r record) {
	if len(g.chans) >= 4 {
		planChanData(g, r)
		return
	}
	c := &channel{id: g.object(), capacity: int(r.x) % 4}
	g.chans = append(g.chans, c)
	g.do(g.actor(r.actor), makeChan, Step{O: c.id, N: c.capacity}, own(&c.send, &c.recv)...)
}

func planChanData(g *planner, r record) {
	c := pick(g.chans, r.object, nil)
	if c == nil {
		planChan(g, r)
		return
	}
	a := g.actor(r.actor)
	switch {
	case c.closed && len(c.values) == 0:
		g.do(a, recvClosed, Step{O: c.id, How: int(r.x) % 2}, own(&c.recv)...)
	case c.closed:
		g.recv(a, c, int(r.x))
	case c.capacity == 0 && len(g.plan.Callers) > 1: // a sender and a receiver meet
		b := g.other(a, r.x)
		g.after(b, own(&c.recv)...)
		g.after(a, own(&c.send)...)
		g.send(a, c)
		g.recv(b, c, int(r.y))
	case len(c.values) < c.capacity && (r.y&1 == 0 || len(c.values) == 0):
		if r.y&6 == 0 { // it is known whether there is room, so TrySend and TryRecv have one result
			g.do(a, tryChan, Step{O: c.id, N: c.next, M: len(c.values)}, own(&c.send, &c.recv)...)
			c.values = append(c.values, c.next)
			c.next++
			return
		}
		g.send(a, c)
	case len(c.values) > 0:
		g.recv(a, c, int(r.x))
	}
}

func (g *planner) send(a int, c *channel) {
	g.do(a, sendChan, Step{O: c.id, N: c.next}, own(&c.send)...)
	c.values = append(c.values, c.next)
	c.next++
}

func (g *planner) recv(a int, c *channel, how int) {
	g.do(a, recvChan, Step{O: c.id, How: how % len(recvWays), Name: recvWays[how%len(recvWays)]}, own(&c.recv)...)
	c.values = c.values[1:]
}

func planCloseChan(g *planner, r record) {
	c := pick(g.chans, r.object, func(c *channel) bool { return !c.closed })
	if c == nil {
		return
	}
	a := g.actor(r.actor)
	g.do(a, closeChan, Step{O: c.id}, own(&c.send)...)
	c.closed = true
	if r.x&1 == 0 {
		g.do(g.actor(r.x), sendClosed, Step{O: c.id}, own(&c.send)...)
	}
}

func (g *planner) counter(r record) *counter {
	c := pick(g.counters, r.object, nil)
	if c == nil || len(g.counters) < 3 && r.x > 128 {
		c = &counter{id: g.object()}
		g.counters = append(g.counters, c)
		g.do(g.actor(r.actor), makeCounter, Step{O: c.id, N: 1 + int(r.y)%3}, own(&c.made)...)
	}
	return c
}

// planCount adds under a lock, in no order with other actors.
func planCount(g *planner, r record) {
	c := g.counter(r)
	for i := range 1 + int(r.y)%2 {
		g.do(g.actor(r.actor+byte(i)), count, Step{O: c.id, N: 1 + int(r.x)%9, How: int(r.x>>4) % 3},
			share(&c.made), share(&c.adds))
	}
}

// planUnits acquires units of a semaphore, works while it has them, and releases them.
func planUnits(g *planner, r record) {
	c := g.counter(r)
	for i := range 1 + int(r.y)%3 {
		g.do(g.actor(r.actor+byte(i)), units, Step{O: c.id, N: 1 + int(r.x+byte(i))%3}, share(&c.made), share(&c.adds))
	}
}

func planSum(g *planner, r record) {
	if c := pick(g.counters, r.object, nil); c != nil {
		g.do(g.actor(r.actor), sum, Step{O: c.id}, append(own(&c.adds), share(&c.made))...)
	}
}

// planStuckLock waits for a lock that is never released, or for something like it.
func planStuckLock(g *planner, r record) { g.stuckLock(r, int(r.y)%firstStuckSync) }

func (g *planner) stuckLock(r record, which int) {
	a := g.actor(r.actor)
	end := int(r.x) % endings
	if end == endDeadline || end == endSoon || end == endClose {
		end = endWithin
	}
	g.wait(a, g.other(a, r.y), waitOnLock, 0, which, end, nil, nil, nil, nil, nil)
}
