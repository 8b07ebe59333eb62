package flow

import "golang.org/x/tools/go/ssa"

// A question asks which values v may be. With all it goes on from parameters to the arguments of all known calls;
// without, the parameters of v's own function are answers.
type question struct {
	v   ssa.Value
	all bool
}

// answers are the answers that are known. To trace a value the tracer may have to know which functions a call calls, so
// it traces another value, which may lead back to the first. The first then counts as what is known of it so far, and
// ask repeats the round until no answer grows.
type answers struct {
	final map[question][]ssa.Value
	known map[question][]ssa.Value // by the rounds so far
	round map[question]bool        // asked in this round; true: also answered
	depth int
	met   bool // this round met a question that was being answered
	grown bool
}

// Roots returns the values that v may be, traced back as far as the Graph goes: functions, closures, values that were
// put into an interface, allocations, results of functions without a body here, and parameters of v's own function or
// of those around it.
func (g *Graph) Roots(v ssa.Value) []ssa.Value { return g.ask(question{v, false}) }

// AllRoots is Roots, but goes on from parameters to the arguments of all known calls.
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
