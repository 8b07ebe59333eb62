package lint

import (
	"go/ast"
	"go/token"
	"strconv"
	"time"
)

// Guards are limits of time between these: what is about time takes less, and what never comes, such as a deadline that
// is set to be cleared, is put further off.
const (
	guardLeast = time.Second
	guardMost  = 10 * time.Minute
)

// limited says at which argument the functions that end something have its time, by package and name; those of methods
// have a point in time instead.
var limited = map[string]int{
	"time.AfterFunc": 0, "time.NewTimer": 0, "net.DialTimeout": 2, "context.WithTimeout": 1,
	"context.WithDeadline": 1, ".SetDeadline": 0, ".SetReadDeadline": 0, ".SetWriteDeadline": 0,
}

// guards returns the calls of a file that end what has not come within seconds or minutes, as its text has them. A
// constant is known by its name, in whichever file of the package it is.
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

// fromNow is d of time.Now().Add(d), and all else as it is.
func fromNow(e ast.Expr) ast.Expr {
	if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" && isTime(sel.X, "Now") {
			return call.Args[0]
		}
	}
	return e
}

// durations are the constants of a package's files that are times, or numbers.
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

// duration is the value of an expression of numbers, units of package time and constants.
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
