package differ

// The plans of what several callers wait for each other by. A step starts children, on both loops and beside them, and
// the actor is one caller more. Who comes first is open; that all was in order is what the step sees.

// inSync makes a step of several callers. What they do is drawn from the record's numbers.
func (g *planner) inSync(r record, v *verb, how int, names []string) {
	how %= len(names)
	g.do(g.actor(r.actor), v, Step{N: 2 + int(r.x)%5, M: int(r.object)<<8 | int(r.y), How: how, Name: names[how]})
}

// planHolders makes callers hold a lock in turn, or its readers together.
func planHolders(g *planner, r record) { g.inSync(r, holders, int(r.x)/5, lockNames) }

// planQueue makes readers arrive behind a writer that waits.
func planQueue(g *planner, r record) { g.inSync(r, queue, int(r.x)/5, queueNames) }

func planOnce(g *planner, r record) { g.inSync(r, once, int(r.x)/5, onceNames) }

func planBarrier(g *planner, r record) { g.inSync(r, rounds, 0, []string{"Barrier"}) }

func planNews(g *planner, r record) { g.inSync(r, news, int(r.x)/5, newsNames) }

// planStuckSync waits for one of the locks that are younger than the corpus.
func planStuckSync(g *planner, r record) {
	g.stuckLock(r, firstStuckSync+int(r.y)%(len(stuckLocks)-firstStuckSync))
}
