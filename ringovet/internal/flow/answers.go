package flow

import "golang.org/x/tools/go/ssa"

// A question is what a value may be: its parameters left as they are, or all.
type question struct {
	v   ssa.Value
	all bool
}

// answers are what has been found out. To trace a value one may have to know whom a call calls, for which another value
// is traced, and that may lead back to the first. Then the first stands for what is known of it so far, and all is
// asked again until nothing is added.
type answers struct {
	final map[question][]ssa.Value
	known map[question][]ssa.Value // so far
	round map[question]bool        // asked in this round; true: answered, too
	depth int
	met   bool // a question that was being answered
	grown bool
}

// Roots returns the values that v may be, as far back as that is known: functions, closures, values that went into an
// interface, what was allocated, results of functions without a body here, and parameters of v's own function or of
// those around it.
func (g *Graph) Roots(v ssa.Value) []ssa.Value { return g.ask(question{v, false}) }

// AllRoots is Roots that goes on through the parameters, to all known calls.
func (g *Graph) AllRoots(v ssa.Value) []ssa.Value { return g.ask(question{v, true}) }

func (g *Graph) ask(q question) []ssa.Value {
	if all, ok := g.final[q]; ok {
		return all
	}
	if g.depth > 0 {
		g.answer(q)
		return g.known[q]
	}
	for again := true; again; again = g.met && g.grown {
		clear(g.round)
		g.met, g.grown = false, false
		g.answer(q)
	}
	for q := range g.round {
		g.final[q] = g.known[q]
	}
	clear(g.known)
	return g.final[q]
}

func (g *Graph) answer(q question) {
	if answered, asked := g.round[q]; asked {
		g.met = g.met || !answered
		return
	}
	g.round[q] = false
	g.depth++
	var own *ssa.Function
	if !q.all {
		own = q.v.Parent()
	}
	t := g.tracer(own, map[ssa.Value]bool{})
	t.trace(q.v)
	g.depth--
	g.round[q] = true
	if len(t.found) > len(g.known[q]) {
		g.known[q], g.grown = t.found, true
	}
}
