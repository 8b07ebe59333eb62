package differ

func planSleep(g *planner, r record) {
	g.do(g.actor(r.actor), sleep, Step{N: int(r.x) % 3})
}

func planTimer(g *planner, r record) {
	g.do(g.actor(r.actor), timer, Step{How: int(r.x) % len(timerWays), Name: timerWays[int(r.x)%len(timerWays)]})
}

func planTicks(g *planner, r record) {
	g.do(g.actor(r.actor), ticks, Step{N: 1 + int(r.x)%2})
}

func planPosts(g *planner, r record) {
	g.do(g.actor(r.actor), posts, Step{N: 1 + int(r.x)%8, M: int(r.y) % Loops})
}

func planCall(g *planner, r record) {
	g.do(g.actor(r.actor), call, Step{N: int(r.x) % 2, M: int(r.y) % Loops})
}

func planChildren(g *planner, r record) {
	g.do(g.actor(r.actor), children, Step{N: 1 + int(r.x)%5, M: int(r.y) % Loops, How: int(r.y>>1) % len(childWays),
		Name: childWays[int(r.y>>1)%len(childWays)]})
}

func planOffload(g *planner, r record) { g.do(g.actor(r.actor), offload, Step{N: int(r.x) % 2}) }

func planYield(g *planner, r record) { g.do(g.actor(r.actor), yield, Step{}) }
