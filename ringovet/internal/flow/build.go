package flow

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// A Source is a package with its syntax.
type Source struct {
	Types *types.Package
	Info  *types.Info
	Files []*ast.File
}

// Build makes a Graph of packages. Of packages that they import and that are not among them it knows only the types.
func Build(fset *token.FileSet, sources []Source) *Graph {
	prog := ssa.NewProgram(fset, ssa.InstantiateGenerics)
	here := map[*types.Package]bool{}
	for _, s := range sources {
		here[s.Types] = true
	}
	var imports func(list []*types.Package)
	imports = func(list []*types.Package) {
		for _, p := range list {
			if !here[p] {
				here[p] = true
				prog.CreatePackage(p, nil, nil, true)
				imports(p.Imports())
			}
		}
	}
	var built []*ssa.Package
	for _, s := range sources {
		imports(s.Types.Imports())
		built = append(built, prog.CreatePackage(s.Types, s.Files, s.Info, true))
	}
	for _, p := range built {
		p.Build()
	}
	g := &Graph{
		Prog:     prog,
		closures: map[*ssa.Function][]*ssa.MakeClosure{},
		callers:  map[*ssa.Function][]ssa.CallInstruction{},
		invokes:  map[string][]ssa.CallInstruction{},
		stores:   map[any][]ssa.Value{},
		answers: answers{
			final: map[question][]ssa.Value{},
			known: map[question][]ssa.Value{},
			round: map[question]bool{},
		},
	}
	for f := range ssautil.AllFunctions(prog) {
		if f.Blocks != nil {
			g.Funcs = append(g.Funcs, f)
		}
	}
	g.index()
	return g
}
