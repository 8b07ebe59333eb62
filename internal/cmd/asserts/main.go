package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "asserts: want the folder of a module, and packages of it if not all")
		os.Exit(2)
	}
	if err := list(os.Stdout, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "asserts:", err)
		os.Exit(1)
	}
}

// pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath string
	Standard        bool
	ForTest         string
	GoFiles         []string
	Module          *struct {
		Path, Version string
		Main          bool
	}
}

// own are the packages whose types these are, and what those are made of.
var own = []string{"net", "os", "internal/poll"}

// list writes a line for each place in what the packages import.
func list(w io.Writer, dir string, packages []string) error {
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	args := []string{"list", "-deps", "-test", "-json=Dir,ImportPath,Standard,ForTest,GoFiles,Module"}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list in %s: %w", dir, err)
	}
	var all []place
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		ours := p.Module != nil && (p.Module.Main || p.Module.Path == "ringo")
		if ours || p.ForTest != "" || p.Standard && slices.Contains(own, p.ImportPath) {
			continue
		}
		for _, name := range p.GoFiles {
			found, err := scan(filepath.Join(p.Dir, name), nil)
			if err != nil {
				return err
			}
			for _, at := range found {
				at.pkg = p.ImportPath
				if p.Module != nil {
					at.version = " " + p.Module.Version
				}
				all = append(all, at)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(a.pkg, b.pkg) })
	for _, at := range all {
		fmt.Fprintf(w, "%s%s\t%s:%d\t%s\t%s\n", at.pkg, at.version, at.file, at.line, at.in, at.typ)
	}
	return nil
}

// place is where a type is asked for.
type place struct {
	pkg, version string
	file         string
	line         int
	in           string // function
	typ          string
}

// types are those that are looked for.
var types = map[string][]string{
	"net": {"TCPConn", "UDPConn", "UnixConn", "IPConn", "TCPListener", "UnixListener"},
	"os":  {"File"},
}

// scan finds the places in a file; src is its text, nil to read it.
func scan(name string, src any) ([]place, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := imports(f)
	var found []place
	for _, d := range f.Decls {
		in := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			in = fn.Name.Name
		}
		ask := func(e ast.Expr) {
			if typ := asked(names, e); typ != "" {
				found = append(found, place{file: path.Base(filepath.ToSlash(name)), line: fset.Position(e.Pos()).Line,
					in: in, typ: typ})
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeAssertExpr:
				ask(n.Type)
			case *ast.TypeSwitchStmt:
				for _, c := range n.Body.List {
					for _, e := range c.(*ast.CaseClause).List {
						ask(e)
					}
				}
			}
			return true
		})
	}
	return found, nil
}

// imports are the names that a file has for the packages of types.
func imports(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if _, ok := types[p]; err != nil || !ok {
			continue
		}
		name := p
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = p
	}
	return names
}

// asked is the type that an expression names, if it is one of types.
func asked(names map[string]string, e ast.Expr) string {
	star, ok := e.(*ast.StarExpr)
	if !ok {
		return ""
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok || !slices.Contains(types[names[id.Name]], sel.Sel.Name) {
		return ""
	}
	return "*" + names[id.Name] + "." + sel.Sel.Name
}
