package reach

import (
	"go/types"
	"slices"

	"ringo/ringovet/internal/blockers"
)

// A Fact is what callers in other packages need to know about a function, since they don't see its body.
type Fact struct {
	Blocks []Remote // calls in it that stop a loop
	Uses   []Use    // parameters, or methods of theirs, that it calls
	Starts []int    // indices of parameters that it starts as tasks; a receiver is 0
	Parks  bool
}

// AFact makes it a fact of go/analysis.
func (*Fact) AFact() {}

func (f *Fact) String() string { return "ringovet" }

func (f *Fact) empty() bool {
	return len(f.Blocks) == 0 && len(f.Uses) == 0 && len(f.Starts) == 0 && !f.Parks
}

// A Remote is a blocker that a function of another package reaches, and the path to it.
type Remote struct {
	Blocker blockers.Blocker
	Path    []string
}

// A Use is a call of a parameter, or of a method of it. The receiver counts as parameter 0.
type Use struct {
	Param  int
	Method string // "" if the parameter is a function
}

// LogFact says that a package has set the default of log or log/slog to one that never waits.
type LogFact struct{ Set bool }

// AFact makes it a fact of go/analysis.
func (*LogFact) AFact() {}

func (f *LogFact) String() string { return "default logger" }

// Facts has what is known about functions and packages whose source is not read. Of returns nil if nothing is.
type Facts interface {
	Of(*types.Func) *Fact
	Log(*types.Package) bool
}

// blocksMax bounds the blockers in one Fact.
const blocksMax = 4

// FactOf returns the Fact of a function, nil if there is nothing in it.
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
