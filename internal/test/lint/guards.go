package lint

import (
	"go/ast"
	"go/token"
	"strconv"
	"time"
)

// A time limit between guardLeast and guardMost counts as a guard. Tests about time use shorter ones; a limit that
// never takes effect, such as a deadline that is set to be cleared, is longer.
const (
	guardLeast = time.Second
	guardMost  = 10 * time.Minute
)

// limited gives the index of the argument that has the time, for functions that set a limit, by package and name. For
// methods, whose names have no package, that argument is a point in time.
var limited = map[string]int{
	"time.AfterFunc": 0, "time.NewTimer": 0, "net.DialTimeout": 2, "context.WithTimeout": 1,
	"context.WithDeadline": 1, ".SetDeadline": 0, ".SetReadDeadline": 0, ".SetWriteDeadline": 0,
}

// guards returns the calls in a file that give up on what has not come within seconds or minutes. It reads the limits
// from the source; constants are known by name, whichever file of the package has them.
func guards(file *ast.File, constants map[string]time.Duration) (places []token.Pos) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, ok := limited["."+sel.Sel.Name]
		if id, isID := sel.X.(*ast.Ident); !ok && isID {
			at, ok = limited[id.Name+"."+sel.Sel.Name]
		}
		if !ok || len(call.Args) <= at {
			return true
		}
		if d, ok := duration(fromNow(call.Args[at]), constants); ok && d >= guardLeast && d < guardMost {
			places = append(places, call.Pos())
		}
		return true
	})
	return places
}

// fromNow returns d for the expression time.Now().Add(d), and any other expression as it is.
func fromNow(e ast.Expr) ast.Expr {
	if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" && isTime(sel.X, "Now") {
			return call.Args[0]
		}
	}
	return e
}

// durations returns the constants of a package's files that are durations or numbers.
func durations(files []*File) map[string]time.Duration {
	constants := map[string]time.Duration{}
	for _, f := range files {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, name := range spec.Names {
					if d, ok := duration(spec.Values[i], nil); ok {
						constants[name.Name] = d
					}
				}
			}
			return true
		})
	}
	return constants
}

var units = map[string]time.Duration{
	"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
	"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
}

// duration returns the value of an expression of numbers, units of package time and constants.
func duration(e ast.Expr, constants map[string]time.Duration) (time.Duration, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return duration(e.X, constants)
	case *ast.BasicLit:
		n, err := strconv.ParseInt(e.Value, 0, 64)
		return time.Duration(n), err == nil
	case *ast.Ident:
		d, ok := constants[e.Name]
		return d, ok
	case *ast.SelectorExpr:
		id, ok := e.X.(*ast.Ident)
		return units[e.Sel.Name], ok && id.Name == "time" && units[e.Sel.Name] != 0
	case *ast.BinaryExpr:
		x, okX := duration(e.X, constants)
		y, okY := duration(e.Y, constants)
		switch ok := okX && okY; {
		case e.Op == token.MUL:
			return x * y, ok
		case e.Op == token.QUO && y != 0:
			return x / y, ok
		case e.Op == token.ADD:
			return x + y, ok
		}
	}
	return 0, false
}
