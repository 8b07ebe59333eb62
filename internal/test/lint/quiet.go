package lint

import (
	"go/ast"
)

// Quiet is the rule that a program started by a test reports to the test's log. What it writes to stderr go test would
// show beside unrelated failures.
func Quiet(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Test {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				set, ok := n.(*ast.AssignStmt)
				if !ok || len(set.Lhs) != 1 || len(set.Rhs) != 1 {
					return true
				}
				field, ok := set.Lhs[0].(*ast.SelectorExpr)
				if ok && field.Sel.Name == "Stderr" && isMember(set.Rhs[0], "os", "Stderr") {
					faults = append(faults, t.fault(set.Pos(), "a program writes to the test's stderr, which go test "+
						"shows beside whatever fails: give it t.Output()."))
				}
				return true
			})
		}
	}
	return faults
}
