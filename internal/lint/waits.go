package lint

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// waitsLeft is how many waits on the wall clock each file of tests still has.
//
//go:embed testdata/waits
var waitsLeft string

const waitsReason = "a busy machine breaks what wall time decides. Wait for what happens by internal/patience, and " +
	"play what is about time in a world. The list of those that are left, internal/lint/testdata/waits, may only shrink"

// Waits is the rule that tests don't depend on wall time: no sleep, no branch of a select that time.After takes, no
// comparison with time.Since. What there was when the rule came is in a list, file by file, which has to be shortened
// when a file has fewer.
func Waits(t *Tree) (faults []string) {
	left, err := waitCounts(waitsLeft)
	if err != nil {
		return []string{"internal/lint/testdata/waits: " + err.Error()}
	}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			name := path.Join(p.Dir, f.Name)
			if !f.Test && !listed(testHelpers, p.Dir) || p.Dir == "internal/patience" {
				continue
			}
			places := wallWaits(f.AST)
			switch n := left[name]; {
			case len(places) > n:
				faults = append(faults, t.fault(places[len(places)-1],
					"%d waits on the wall clock, %d are known: %s.", len(places), n, waitsReason))
			case len(places) < n:
				faults = append(faults, fmt.Sprintf("%s: %d waits on the wall clock, and the list of those that are "+
					"left has %d: write %d there.", name, len(places), n, len(places)))
			}
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if t.Module == "ringo" && len(t.Packages) > 10 { // all of it was loaded
			faults = append(faults, name+": the list of waits on the wall clock has it, and no test is there.")
		}
	}
	return faults
}

func waitCounts(text string) (map[string]int, error) {
	counts := map[string]int{}
	for line := range strings.Lines(text) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(count)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%q is no file and count", line)
		}
		counts[name] = n
	}
	return counts, nil
}

// wallWaits returns the places in a file where the wall clock decides.
func wallWaits(file *ast.File) (places []token.Pos) {
	timed := map[string]bool{} // names of what was measured by time.Since
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, rhs := range n.Rhs {
				if id, ok := n.Lhs[i].(*ast.Ident); ok && isTime(rhs, "Since") {
					timed[id.Name] = true
				}
			}
		case *ast.CallExpr:
			if isTime(n, "Sleep") {
				places = append(places, n.Pos())
			}
		case *ast.CommClause:
			if e, ok := n.Comm.(*ast.ExprStmt); ok {
				if u, ok := e.X.(*ast.UnaryExpr); ok && u.Op == token.ARROW && isTime(u.X, "After") {
					places = append(places, u.Pos())
				}
			}
		case *ast.BinaryExpr:
			switch n.Op {
			case token.GTR, token.GEQ, token.LSS, token.LEQ:
				for _, side := range []ast.Expr{n.X, n.Y} {
					id, ok := side.(*ast.Ident)
					if isTime(side, "Since") || ok && timed[id.Name] {
						places = append(places, n.Pos())
					}
				}
			}
		}
		return true
	})
	return places
}

// isTime reports whether an expression is a call of a function of package time.
func isTime(e ast.Expr, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == "time"
}
