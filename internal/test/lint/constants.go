package lint

import (
	"go/ast"
	"go/token"
)

// Constants is the rule that godoc shows the values of constants: a name of an internal package tells users nothing.
// Names of internal/abi are allowed: they are the kernel's own, which manual pages explain.
func Constants(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !public(p) {
			continue
		}
		for _, f := range p.source() {
			internal := t.internals(f)
			for _, d := range f.AST.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.CONST {
					continue
				}
				for _, spec := range g.Specs {
					spec := spec.(*ast.ValueSpec)
					if exported(spec.Names) {
						faults = append(faults, t.hiddenValues(spec, internal)...)
					}
				}
			}
		}
	}
	return faults
}

func (t *Tree) hiddenValues(spec *ast.ValueSpec, internal map[string]bool) (faults []string) {
	for _, value := range spec.Values {
		ast.Inspect(value, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && internal[pkg.Name] && pkg.Name != "abi" {
					faults = append(faults, t.fault(sel.Pos(), "%s is %s.%s, and godoc shows no more of it: write the "+
						"number, and let the compiler compare: const _ = -uint(%[1]s ^ %[2]s.%[3]s).",
						spec.Names[0].Name, pkg.Name, sel.Sel.Name))
				}
			}
			return true
		})
	}
	return faults
}
