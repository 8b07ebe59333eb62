package differ

import (
	"math/rand/v2"
	"slices"
)

// planner makes a plan of a program. The package comment says what the plan has to guarantee.
type planner struct {
	plan  *Plan
	clock [][]int // by actor: how many steps of each actor have certainly ended
	kinds uint    // counts meetings, so that all ways to meet are used
	steps uint

	listeners []*listener
	conns     []*conn
	packets   []*packet
	files     []*handle
	pipes     []*pipe
	chans     []*channel
	counters  []*counter
	names     res // the names and contents of all files
}

// An access is a use of something by a step of an actor. Steps are numbered from 1.
type access struct{ actor, step int }

// A res is something whose uses need an order: an exclusive use with all others, a shared use with exclusive ones.
type res struct{ exclusive, shared []access }

// A use is a res that a step uses.
type use struct {
	*res
	share bool
}

func own(rs ...*res) (us []use) {
	for _, r := range rs {
		us = append(us, use{r, false})
	}
	return us
}

func share(r *res) use { return use{r, true} }

// Allowed lists all kinds of callers. A machine without goroutines passes a shorter list.
var Allowed = []Kind{Task, Iterator, Goroutine, Offload, Callback}

// MakePlan makes a plan in which all callers are of the allowed kinds.
func MakePlan(p Program, allowed []Kind) *Plan {
	callers := p.callers(allowed)
	g := &planner{plan: &Plan{Callers: callers, Actors: make([][]Step, len(callers)), disk: p.disk(), seed: p.seed(),
		beside: slices.Contains(allowed, Goroutine)}}
	for range callers {
		g.clock = append(g.clock, make([]int, len(callers)))
	}
	for _, r := range p.records() {
		makers[int(r.call)%len(makers)].make(g, r)
	}
	g.finish(p.stops())
	return g.plan
}

// actor returns the number of an actor, for any n.
func (g *planner) actor(n byte) int { return int(n) % len(g.plan.Callers) }

// other returns an actor other than a, for any n.
func (g *planner) other(a int, n byte) int {
	k := len(g.plan.Callers)
	return (a + 1 + int(n)%(k-1)) % k
}

func (g *planner) object() int {
	g.plan.objects++
	return g.plan.objects - 1
}

// stream returns the number of a new direction.
func (g *planner) stream() int {
	g.plan.streams++
	return g.plan.streams - 1
}

// do adds a step of an actor, ordered after every step that used the same and has not certainly ended.
func (g *planner) do(a int, v *verb, s Step, uses ...use) {
	g.after(a, uses...)
	s.verb = v
	g.emit(a, s)
	g.mark(a, uses...)
}

// after makes the next step of an actor wait for the other actors' earlier uses of these.
func (g *planner) after(a int, uses ...use) {
	for _, u := range uses {
		g.afterAll(a, u.exclusive)
		if !u.share {
			g.afterAll(a, u.shared)
		}
	}
}

func (g *planner) afterAll(a int, all []access) {
	for _, x := range all {
		if x.actor != a && g.clock[a][x.actor] < x.step {
			g.meet(x.actor, a)
		}
	}
}

// meet makes actor then wait until actor first has done everything that is planned for it so far.
func (g *planner) meet(first, then int) {
	k := len(g.plan.meetings)
	g.plan.meetings = append(g.plan.meetings, meeting{how: int(g.kinds % meetingKinds)})
	g.kinds++
	how := meetingNames[g.plan.meetings[k].how]
	g.emit(first, Step{verb: tell, O: k, Name: how})
	copy(g.clock[then], mostOf(g.clock[then], g.clock[first]))
	g.emit(then, Step{verb: await, O: k, Name: how})
}

func mostOf(a, b []int) []int {
	c := make([]int, len(a))
	for i := range a {
		c[i] = max(a[i], b[i])
	}
	return c
}

// scopeEvery: one call in so many is made in a scope.
const scopeEvery = 3

func (g *planner) emit(a int, s Step) {
	if g.steps++; g.steps%scopeEvery == 0 {
		s.Scope = int(g.steps/scopeEvery) % scopes
	}
	g.plan.Actors[a] = append(g.plan.Actors[a], s)
	g.clock[a][a] = len(g.plan.Actors[a])
	g.plan.order = append(g.plan.order, planned{a, len(g.plan.Actors[a]) - 1})
}

// mark records that the last step of an actor has used these.
func (g *planner) mark(a int, uses ...use) {
	now := access{a, len(g.plan.Actors[a])}
	for _, u := range uses {
		if u.share {
			u.shared = append(u.shared, now)
		} else {
			u.exclusive, u.shared = []access{now}, nil
		}
	}
}

// A maker adds calls to a plan; weight is how often a random program wishes for it.
type maker struct {
	weight int
	make   func(g *planner, r record)
}

// makers lists all makers, by the first byte of a record. New ones are appended, so that the corpus keeps its meaning.
var makers []maker

func init() {
	makers = []maker{
		{4, planListen}, {14, planPair}, {4, planServe}, {4, planOption},
		{38, planWrite}, {40, planRead}, {4, planBigWrite}, {8, planEnd}, {6, planRelay}, {8, planMove}, {4, planLeave},
		{8, planClose}, {2, planCloseListener}, {5, planReset}, {3, planGone}, {2, planLater}, {3, planRefused},
		{7, planDeadline}, {9, planWait}, {3, planAcceptWait}, {3, planStuckWrite}, {4, planCrowd},
		{3, planPacket}, {7, planSend}, {7, planReceive}, {3, planPacketWait}, {2, planClosePacket},
		{8, planOpen}, {18, planFile}, {14, planName}, {3, planCloseFile},
		{3, planPipe}, {4, planPipeData}, {2, planPipeEnd},
		{3, planChan}, {7, planChanData}, {2, planCloseChan}, {5, planCount}, {2, planSum}, {3, planUnits},
		{4, planStuckLock}, {3, planSleep}, {3, planTimer}, {2, planTicks},
		{3, planPosts}, {3, planCall}, {3, planChildren}, {2, planOffload}, {1, planYield},
		{6, planLate},
		{8, planHand}, {8, planBurst}, {2, planPerish}, {2, planStuckEnd},
		{3, planHolders}, {3, planQueue}, {3, planOnce}, {3, planBarrier}, {3, planNews}, {3, planStuckSync},
	}
}

// wish draws the first byte of a record according to the weights.
func wish(r *rand.Rand) byte {
	sum := 0
	for _, m := range makers {
		sum += m.weight
	}
	at := r.IntN(sum)
	for i, m := range makers {
		if at -= m.weight; at < 0 {
			return byte(i)
		}
	}
	panic("differ: weights")
}
