package check

import (
	"go/types"

	"golang.org/x/tools/go/analysis"

	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/reach"
	"ringo/ringovet/internal/report"
	"ringo/ringovet/internal/roots"
)

// Analyzer finds calls that stop a loop in the tasks of one package. Of functions in other packages it knows from facts
// whether they wait, or call their arguments. Of a value of an interface it knows only those types that this package
// puts into it.
var Analyzer = &analysis.Analyzer{
	Name: "ringovet",
	Doc: "find calls in Ringo's tasks that stop the loop: channels, sleeps, locks held while a task parks, files, " +
		"net, databases",
	Run:       run,
	FactTypes: []analysis.Fact{(*reach.Fact)(nil), (*reach.LogFact)(nil)},
}

func run(pass *analysis.Pass) (any, error) {
	if standard(pass) || roots.Ours(pass.Pkg.Path()) {
		return nil, nil
	}
	source := flow.Source{Types: pass.Pkg, Info: pass.TypesInfo, Files: pass.Files}
	w := reach.New(pass.Fset, []flow.Source{source}, facts{pass}, func(p *types.Package) bool { return p == pass.Pkg })
	for _, f := range w.Findings() {
		pass.Report(analysis.Diagnostic{Pos: f.Pos, Message: report.Message(pass.Fset, f)})
	}
	for _, pos := range w.Bare() {
		pass.Report(analysis.Diagnostic{Pos: pos, Message: report.NoReason})
	}
	for _, obj := range pass.TypesInfo.Defs {
		if f, ok := obj.(*types.Func); ok && (f.Exported() || f.Signature().Recv() != nil) {
			if fact := w.FactOf(f); fact != nil {
				pass.ExportObjectFact(f, fact)
			}
		}
	}
	if w.SetsLog(pass.Pkg) {
		pass.ExportPackageFact(&reach.LogFact{Set: true})
	}
	return nil, nil
}

// standard reports whether the package is part of Go's own distribution: package blockers lists what waits there.
func standard(pass *analysis.Pass) bool {
	m := pass.Module
	return m == nil || m.Path == "" || m.Path == "std" || m.Path == "cmd"
}

type facts struct{ pass *analysis.Pass }

func (f facts) Of(obj *types.Func) *reach.Fact {
	fact := &reach.Fact{}
	if f.pass.ImportObjectFact(obj, fact) {
		return fact
	}
	return nil
}

func (f facts) Log(p *types.Package) bool { return f.pass.ImportPackageFact(p, &reach.LogFact{}) }
