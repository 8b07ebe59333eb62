package lint

import "go/ast"

// Allocs is the rule that tests count allocations by alloctest.Least.
func Allocs(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok && isMember(e, "testing", "AllocsPerRun") {
					faults = append(faults, t.fault(e.Pos(), "testing.AllocsPerRun counts once, and on a busy machine "+
						"that count has allocations of the runtime's own: use internal/test/alloctest.Least."))
				}
				return true
			})
		}
	}
	return faults
}

// isMember reports whether an expression is the name of a package's function or variable.
func isMember(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}
