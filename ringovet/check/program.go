package check

import (
	"errors"
	"fmt"
	"go/types"

	"golang.org/x/tools/go/packages"

	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/reach"
	"ringo/ringovet/internal/report"
	"ringo/ringovet/internal/roots"
)

// Options say what Program looks at.
type Options struct {
	Dir   string // where the go command runs; "": the current directory
	Tests bool   // also look at files of tests
}

// Program finds calls that stop a loop in the packages that match the patterns. It also reads the source of all that
// they import, but for the standard library and Ringo, and follows calls into that. It fails if a package does not
// build.
func Program(o Options, patterns ...string) ([]report.Line, error) {
	const names = packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedModule
	listed, err := load(packages.Config{Mode: names, Dir: o.Dir, Tests: o.Tests}, patterns)
	if err != nil {
		return nil, err
	}
	told := map[string]bool{}
	for _, p := range listed {
		told[p.PkgPath] = true
	}
	// Packages of the standard library have no module. All others but Ringo's are read from source.
	var paths []string
	packages.Visit(listed, nil, func(p *packages.Package) {
		if p.Module != nil && !roots.Ours(p.PkgPath) && !told[p.PkgPath] {
			paths = append(paths, p.PkgPath)
		}
	})
	const syntax = names&^packages.NeedDeps | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedTypes |
		packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo
	read, err := load(packages.Config{Mode: syntax, Dir: o.Dir, Tests: o.Tests}, append(paths, patterns...))
	if err != nil {
		return nil, err
	}
	var sources []flow.Source
	for _, p := range read {
		if p.Module != nil && !roots.Ours(p.PkgPath) && len(p.Syntax) > 0 {
			sources = append(sources, flow.Source{Types: p.Types, Info: p.TypesInfo, Files: p.Syntax})
		}
	}
	if len(sources) == 0 {
		return nil, nil
	}
	fset := read[0].Fset
	w := reach.New(fset, sources, nil, func(p *types.Package) bool { return told[p.Path()] })
	var lines []report.Line
	for _, f := range w.Findings() {
		lines = append(lines, report.Of(fset, o.Dir, f))
	}
	for _, pos := range w.Bare() {
		lines = append(lines, report.Silence(fset, o.Dir, pos))
	}
	return lines, nil
}

// load loads packages, and fails if one of them does not build.
func load(cfg packages.Config, patterns []string) ([]*packages.Package, error) {
	read, err := packages.Load(&cfg, patterns...)
	if err != nil {
		return nil, err
	}
	var all []error
	for _, p := range read {
		for _, e := range p.Errors {
			all = append(all, e)
		}
	}
	if len(all) > 0 {
		return nil, fmt.Errorf("the packages don't build: %w", errors.Join(all...))
	}
	return read, nil
}
