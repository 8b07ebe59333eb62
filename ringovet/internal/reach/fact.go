package reach

import (
	"go/types"
	"slices"

	"ringo/ringovet/internal/blockers"
)

// A Fact is what callers in other packages need to know of a function, when its body is not at hand.
type Fact struct {
	Blocks []Remote // what it calls that stops a loop
	Uses   []Use    // what it calls of its arguments
	Starts []int    // which of its parameters, the receiver counted, it starts as tasks
	Parks  bool
}

// AFact makes it a fact of go/analysis.
func (*Fact) AFact() {}

func (f *Fact) String() string { return "ringovet" }

func (f *Fact) empty() bool {
	return len(f.Blocks) == 0 && len(f.Uses) == 0 && len(f.Starts) == 0 && !f.Parks
}

// A Remote is a blocker at the end of a path through another package.
type Remote struct {
	Blocker blockers.Blocker
	Path    []string
}

// A Use is a call of a parameter, or of a method of it. The receiver counts as a parameter.
type Use struct {
	Param  int
	Method string // "" if the parameter is a function
}

// LogFact says that a package has given log or log/slog a default that never waits.
type LogFact struct{ Set bool }

// AFact makes it a fact of go/analysis.
func (*LogFact) AFact() {}

func (f *LogFact) String() string { return "default logger" }

// Facts returns what is known of functions and packages without bodies; nil if nothing is.
type Facts interface {
	Of(*types.Func) *Fact
	Log(*types.Package) bool
}

// blocksMax is how many blockers of one function its callers are told of.
const blocksMax = 4

// FactOf makes the fact of a function, or nil if there is nothing to say.
func (w *World) FactOf(obj *types.Func) *Fact {
	f := w.g.Prog.FuncValue(obj)
	if f == nil || f.Blocks == nil || w.silences.Covers(f.Pos()) {
		return nil
	}
	fact := &Fact{Uses: w.scan(f).uses, Starts: w.starts(f), Parks: w.parks(f) != nil}
	all := w.walk([]root{{fn: f}})
	slices.SortStableFunc(all, func(a, b Finding) int { return a.Blocker.Rank() - b.Blocker.Rank() })
	for _, found := range all {
		same := func(r Remote) bool { return r.Blocker.Name == found.Blocker.Name }
		if len(fact.Blocks) < blocksMax && !slices.ContainsFunc(fact.Blocks, same) {
			var path []string
			for _, frame := range found.Path {
				path = append(path, frame.Name)
			}
			fact.Blocks = append(fact.Blocks, Remote{found.Blocker, path})
		}
	}
	if fact.empty() {
		return nil
	}
	return fact
}
