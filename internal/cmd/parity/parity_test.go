package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../../.."

func chapters(t *testing.T) []*chapter {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Skip("the source tree is not here:", err)
	}
	list, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPage: the page is what the lists say.
func TestPage(t *testing.T) {
	want := render(chapters(t))
	got, err := os.ReadFile(filepath.Join(root, page))
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): go run ./internal/cmd/parity", page, err)
	}
}

// TestNames: what the lists name exists, and is named once.
func TestNames(t *testing.T) {
	packages := map[string]*source{}
	for _, c := range chapters(t) {
		seen := map[string]bool{}
		for _, r := range c.rows {
			if seen[r[0]] {
				t.Errorf("%s: %s is there twice", c.title, r[0])
			}
			seen[r[0]] = true
		}
		for i, cell := range c.column("here") {
			for _, name := range items(cell) {
				if !load(t, packages, "uring").exported[name] {
					t.Errorf("%s, %s: package uring has no %s", c.title, c.rows[i][0], name)
				}
			}
		}
		for i, cell := range c.column("run") {
			if !slices.Contains(runs, firstWord(cell)) {
				t.Errorf("%s, %s: run is %q, want one of %v", c.title, c.rows[i][0], cell, runs)
			}
		}
		for i, cell := range c.column("tests") {
			for _, name := range items(cell) {
				pkg, test := "uring", name
				if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
					pkg, test, _ = strings.Cut(name, ".")
				}
				if !load(t, packages, folder(pkg)).has(test) {
					t.Errorf("%s, %s: there is no test %s", c.title, c.rows[i][0], name)
				}
			}
		}
	}
}

// TestComplete: no opcode, register code or flag is without a row, and the lists are as long as those of liburing 2.16.
func TestComplete(t *testing.T) {
	packages := map[string]*source{}
	raw := load(t, packages, "uring")
	var enter []string
	for name := range load(t, packages, "internal/abi").exported {
		if flag, ok := strings.CutPrefix(name, "IORING_ENTER_"); ok {
			enter = append(enter, flag)
		}
	}
	wanted := map[string]struct {
		rows  int
		names []string
	}{
		"Opcodes": {65, raw.lists["opNames"]}, "Prep helpers": {105, nil}, "Test programs": {260, nil},
		"Register codes": {38, raw.lists["registerNames"]}, "Setup flags": {21, raw.lists["setupNames"]},
		"Enter flags": {8, enter},
	}
	for _, c := range chapters(t) {
		want, ok := wanted[c.title]
		if ok && (len(c.rows) != want.rows || want.names != nil && len(want.names) != want.rows) {
			t.Errorf("%s: %d rows, %d names, want %d", c.title, len(c.rows), len(want.names), want.rows)
		}
		delete(wanted, c.title)
		for _, name := range want.names {
			if !slices.Contains(c.column(c.columns[0]), strings.TrimPrefix(name, "REGISTER_")) {
				t.Errorf("%s: %s is not in the list", c.title, name)
			}
		}
	}
	for title := range wanted {
		t.Errorf("there is no list %q", title)
	}
}

// A source is what a package has, as its files say.
type source struct {
	exported map[string]bool // functions, methods with and without their types, constants, types, fields
	tests    map[string]bool
	literals map[string]bool     // strings, which name subtests
	lists    map[string][]string // the strings of variables named Names
}

// folder is where a package is whose tests are named.
func folder(pkg string) string {
	switch pkg {
	case "uring", "buf", "sock", "file", "sim":
		return pkg
	case "ringo":
		return "."
	case "driver":
		return "internal/driver/uring"
	}
	return "internal/" + pkg
}

func (s *source) has(test string) bool {
	name, sub, ok := strings.Cut(test, "/")
	return s.tests[name] && (!ok || s.literals[sub[strings.LastIndex(sub, "/")+1:]])
}

func load(t *testing.T, packages map[string]*source, dir string) *source {
	t.Helper()
	if s := packages[dir]; s != nil {
		return s
	}
	s := &source{exported: map[string]bool{}, tests: map[string]bool{}, literals: map[string]bool{},
		lists: map[string][]string{}}
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.add(f, strings.HasSuffix(name, "_test.go"))
	}
	packages[dir] = s
	return s
}

func (s *source) add(f *ast.File, test bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if test {
				s.tests[n.Name.Name] = s.tests[n.Name.Name] || strings.HasPrefix(n.Name.Name, "Test") ||
					strings.HasPrefix(n.Name.Name, "Fuzz") || strings.HasPrefix(n.Name.Name, "Example")
			} else if n.Name.IsExported() {
				s.exported[n.Name.Name] = true
				if n.Recv != nil {
					s.exported[typeName(n.Recv.List[0].Type)+"."+n.Name.Name] = true
				}
			}
		case *ast.TypeSpec:
			s.exported[n.Name.Name] = s.exported[n.Name.Name] || !test && n.Name.IsExported()
		case *ast.ValueSpec:
			for i, name := range n.Names {
				s.exported[name.Name] = s.exported[name.Name] || !test && name.IsExported()
				if strings.HasSuffix(name.Name, "Names") && i < len(n.Values) {
					s.lists[name.Name] = stringsOf(n.Values[i])
				}
			}
		case *ast.Field:
			for _, name := range n.Names {
				s.exported[name.Name] = s.exported[name.Name] || !test && name.IsExported()
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				s.literals[strings.ReplaceAll(text, " ", "_")] = true
				s.literals[text] = true
			}
		}
		return true
	})
}

func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func stringsOf(e ast.Expr) (list []string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}
