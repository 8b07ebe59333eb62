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

// waitsLeft says how many waits on the wall clock each test file still has.
//
//go:embed testdata/waits
var waitsLeft string

const waitsReason = "a busy machine breaks what wall time decides. Wait for what happens by internal/test/patience, " +
	"and play what is about time in a world. The list of those that are left, internal/test/lint/testdata/waits, may " +
	"only shrink"

// Waits is the rule that tests don't depend on wall time. It forbids sleeps, receives from time.After (in a select or
// not), failures once a point in time is over, limits of seconds on what ought to come, and comparisons with
// time.Since. A comparison may only fail the test because too little time has passed, since load can't cause that. A
// list has the waits that existed before the rule, file by file; when a file has fewer, its entry must be reduced.
func Waits(t *Tree) (faults []string) {
	left, err := waitCounts(waitsLeft)
	if err != nil {
		return []string{"internal/test/lint/testdata/waits: " + err.Error()}
	}
	for _, p := range t.Packages {
		constants := durations(p.Files)
		for _, f := range p.Files {
			name := path.Join(p.Dir, f.Name)
			if !f.Test && !listed(testHelpers, p.Dir) || p.Dir == "internal/test/patience" || virtual(f) {
				continue
			}
			places := append(wallWaits(f.AST), guards(f.AST, constants)...)
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
		if len(t.Packages) > 10 { // the whole module was loaded
			faults = append(faults, name+": the list of waits on the wall clock has it, and no test is there.")
		}
	}
	return faults
}

// virtual reports whether a file's tests run in worlds with goroutines, where package time uses the world's clock. Such
// a file has a certain name, and makes such worlds.
func virtual(f *File) (makes bool) {
	if !strings.HasSuffix(f.Name, "goroutines_test.go") {
		return false
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		makes = makes || ok && sel.Sel.Name == "Goroutines"
		return !makes
	})
	return makes
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
	timed := map[string]bool{} // names of values that time.Since returned
	ast.Inspect(file, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok {
			for i, rhs := range a.Rhs {
				if id, ok := a.Lhs[i].(*ast.Ident); ok && isTime(rhs, "Since") {
					timed[id.Name] = true
				}
			}
		}
		return true
	})
	measured := func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return isTime(e, "Since") || ok && timed[id.Name]
	}
	least := map[*ast.BinaryExpr]bool{} // comparisons that only fail the test for too little time
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if givesUp(n.Cond) && mayFail(n.Body) {
				places = append(places, n.Pos())
			}
			if n.Else == nil && fails(n.Body) {
				eachOperand(n.Cond, func(e *ast.BinaryExpr) {
					less, more := e.Op == token.LSS || e.Op == token.LEQ, e.Op == token.GTR || e.Op == token.GEQ
					least[e] = less && measured(e.X) && !measured(e.Y) || more && measured(e.Y) && !measured(e.X)
				})
			}
		case *ast.CallExpr:
			if isTime(n, "Sleep") {
				places = append(places, n.Pos())
			}
		case *ast.ExprStmt: // a sleep in another form; in a select the receive belongs to a comm clause
			if u, ok := n.X.(*ast.UnaryExpr); ok && u.Op == token.ARROW && isTime(u.X, "After") {
				places = append(places, n.Pos())
			}
		case *ast.BinaryExpr:
			switch n.Op {
			case token.GTR, token.GEQ, token.LSS, token.LEQ:
				if !least[n] && (measured(n.X) || measured(n.Y)) {
					places = append(places, n.Pos())
				}
			}
		}
		return true
	})
	return places
}

// givesUp reports whether a condition asks if a point in time is over.
func givesUp(cond ast.Expr) (found bool) {
	ast.Inspect(cond, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			sel, ok := call.Fun.(*ast.SelectorExpr)
			found = found || ok && sel.Sel.Name == "After" && isTime(sel.X, "Now")
		}
		return !found
	})
	return found
}

// mayFail reports whether a statement in a block can fail the test.
func mayFail(block *ast.BlockStmt) (found bool) {
	ast.Inspect(block, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				found = found || slices.Contains(failures, f.Sel.Name)
			case *ast.Ident:
				found = found || f.Name == "panic"
			}
		}
		return !found
	})
	return found
}

// failures are a test's methods that fail it.
var failures = []string{"Error", "Errorf", "Fatal", "Fatalf"}

// fails reports whether a block fails the test, and does nothing else.
func fails(block *ast.BlockStmt) bool {
	failed := false
	for i, s := range block.List {
		switch s := s.(type) {
		case *ast.ExprStmt:
			call, ok := s.X.(*ast.CallExpr)
			if !ok {
				return false
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(failures, sel.Sel.Name) {
				return false
			}
			failed = true
		case *ast.ReturnStmt, *ast.BranchStmt:
			if i != len(block.List)-1 {
				return false
			}
		default:
			return false
		}
	}
	return failed
}

// eachOperand calls f for the comparisons that a condition joins only by && and ||, without a negation.
func eachOperand(cond ast.Expr, f func(*ast.BinaryExpr)) {
	switch e := cond.(type) {
	case *ast.ParenExpr:
		eachOperand(e.X, f)
	case *ast.BinaryExpr:
		if e.Op == token.LAND || e.Op == token.LOR {
			eachOperand(e.X, f)
			eachOperand(e.Y, f)
			return
		}
		f(e)
	}
}

// isTime reports whether an expression is a call of a function of package time.
func isTime(e ast.Expr, name string) bool {
	call, ok := e.(*ast.CallExpr)
	return ok && isMember(call.Fun, "time", name)
}
