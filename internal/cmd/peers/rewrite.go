package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The names of package net that are replaced in rewritten files: types that tests name, and functions that return them.
var (
	types = []string{"TCPConn", "UDPConn", "UnixConn", "TCPListener", "UnixListener"}
	// Ringo has two types of Unix connections. A declaration gets the first that has all methods that it calls.
	kinds     = map[string][]string{"UnixConn": {"UnixConn", "UnixgramConn"}}
	functions = []string{"DialTCP", "ListenTCP", "DialUDP", "ListenUDP", "ListenMulticastUDP", "DialUnix", "ListenUnix",
		"ListenUnixgram"}
	// The names of package os, for folders whose files are to use package file.
	files = []string{"File", "Open", "Create", "OpenFile", "CreateTemp", "MkdirTemp", "ReadDir", "ReadFile", "Readlink",
		"Stat", "Lstat", "SameFile", "Chmod", "Chown", "Lchown", "Chtimes", "Link", "Symlink", "Mkdir", "MkdirAll",
		"Remove", "RemoveAll", "Rename", "Truncate", "WriteFile"}
)

// A rewriting is the files of a folder, in which declarations use net.RingoTCPConn for *net.TCPConn, and so on. A
// declaration that does not compile then, because it uses unexported parts of the type, stays as it was.
type rewriting struct {
	files []*rewritten
}

type rewritten struct {
	name  string
	text  []byte
	edits []edit
	tried map[string]int // ways of changing a declaration that were refused; after the last it stays
	tail  string
}

// An edit replaces a part of a file's text.
type edit struct {
	from, to int
	ways     []string
	decl     string
}

// change says what to change in a folder.
type change int

const (
	netInTests change = iota
	netInAll
	osInAll // and net
)

// rewrite changes a folder's tests, or all of its files.
func rewrite(dir string, what change) (*rewriting, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	rw := &rewriting{}
	for _, name := range names {
		if what == netInTests && !strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := rewriteFile(name, what == osInAll)
		if err != nil {
			return nil, err
		}
		if len(f.edits) > 0 || len(patches[filepath.Base(name)]) > 0 {
			rw.files = append(rw.files, f)
		}
	}
	return rw, rw.write()
}

func rewriteFile(name string, withOS bool) (*rewritten, error) {
	kept := name + ".orig" // the original, kept by an earlier run
	text, err := os.ReadFile(kept)
	if os.IsNotExist(err) {
		if text, err = os.ReadFile(name); err == nil {
			err = os.WriteFile(kept, text, 0o666)
		}
	}
	if err != nil {
		return nil, err
	}
	text = patch(filepath.Base(name), text)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &rewritten{name: name, text: text, tried: map[string]int{}}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	for _, d := range file.Decls {
		decl := declName(d)
		if decl == "" {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field: // an embedded field: its name is that of the type
				if star, ok := n.Type.(*ast.StarExpr); ok && len(n.Names) == 0 {
					prefix, id := netName(file, star.X)
					if _, ok := d.(*ast.GenDecl); ok && prefix != "" && slices.Contains(types, id) {
						f.edits = append(f.edits, edit{offset(n.Pos()), offset(n.End()), []string{id}, decl})
						f.tail += "\ntype " + id + " = net.Ringo" + id + "\n"
						return false
					}
				}
			case *ast.StarExpr:
				if prefix, id := netName(file, n.X); slices.Contains(types, id) {
					f.edits = append(f.edits, edit{offset(n.Pos()), offset(n.End()), ways(prefix, id), decl})
				}
			case *ast.CallExpr:
				if prefix, id := netName(file, n.Fun); slices.Contains(functions, id) {
					f.edits = append(f.edits, edit{offset(n.Fun.Pos()), offset(n.Fun.End()), ways(prefix, id), decl})
				}
			}
			return true
		})
	}
	if withOS {
		f.rewriteOS(file, offset)
	}
	slices.SortFunc(f.edits, func(a, b edit) int { return a.from - b.from })
	return f, nil
}

// osName is the name by which rewritten files import package peers in place of os. osDecl stands for the declaration in
// the edits for that.
const osName, osDecl = "ringoos", "package os"

// rewriteOS makes a file use package peers where it uses names in files of package os. The compiler always accepts
// that.
func (f *rewritten) rewriteOS(file *ast.File, offset func(token.Pos) int) {
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if x, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := x.X.(*ast.Ident); ok && id.Name == "os" && slices.Contains(files, x.Sel.Name) {
				f.edits = append(f.edits, edit{from: offset(id.Pos()), to: offset(id.End()), ways: []string{osName},
					decl: osDecl})
				found = true
			}
		}
		return true
	})
	if found {
		at := offset(file.Name.End())
		f.edits = append(f.edits, edit{from: at, to: at, ways: []string{"; import " + osName + ` "ringo/peers"`},
			decl: osDecl})
		f.tail += "\nvar _ os.FileMode\n" // so that the import stays used
	}
}

// ways returns the names to try in place of one, in order.
func ways(prefix, id string) (all []string) {
	if kinds[id] == nil {
		return []string{prefix + "Ringo" + id}
	}
	for _, kind := range kinds[id] {
		all = append(all, prefix+"Ringo"+kind)
	}
	return all
}

// way returns what an edit writes now. If other edits of its declaration have more ways, its last one stays in use. It
// returns false if no way is left: then the declaration stays as it was.
func (f *rewritten) way(e edit) (text string, ok bool) {
	n := f.tried[e.decl]
	if n >= f.most(e.decl) {
		return "", false
	}
	return e.ways[min(n, len(e.ways)-1)], true
}

// most returns how many ways there are to change a declaration.
func (f *rewritten) most(decl string) (n int) {
	for _, e := range f.edits {
		if e.decl == decl {
			n = max(n, len(e.ways))
		}
	}
	return n
}

// declName returns the name of a declaration that may be changed, else "". Methods of net's own types may not.
func declName(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && len(d.Recv.List) > 0 {
			if star, ok := d.Recv.List[0].Type.(*ast.StarExpr); ok {
				if id, ok := star.X.(*ast.Ident); ok {
					if slices.Contains(types, id.Name) {
						return ""
					}
					return id.Name + "." + d.Name.Name
				}
			}
		}
		return d.Name.Name
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				return s.Name.Name
			case *ast.ValueSpec:
				return s.Names[0].Name
			}
		}
	}
	return ""
}

// netName returns a name of package net, and the prefix with which the file writes it.
func netName(file *ast.File, x ast.Expr) (prefix, name string) {
	switch x := x.(type) {
	case *ast.Ident:
		if file.Name.Name == "net" {
			return "", x.Name
		}
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok && id.Name == "net" {
			return "net.", x.Sel.Name
		}
	}
	return "", ""
}

// write writes all files with the present ways.
func (rw *rewriting) write() error {
	for _, f := range rw.files {
		var out bytes.Buffer
		at := 0
		for _, e := range f.edits {
			text, ok := f.way(e)
			if !ok || e.from < at {
				continue
			}
			out.Write(f.text[at:e.from])
			out.WriteString(text)
			at = e.to
		}
		out.Write(f.text[at:])
		out.WriteString(f.tail)
		if err := os.WriteFile(f.name, out.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// leave goes on to the next way for declarations that the compiler refuses: those that its messages point into or, if
// there is none, those that the line at which a message points names. It returns the names of declarations that have no
// way left and stay as they were; changed reports whether there was anything to change.
func (rw *rewriting) leave(messages string) (names []string, changed bool, err error) {
	refused := map[string]bool{}
	for _, f := range rw.files {
		text, err := os.ReadFile(f.name)
		if err != nil {
			return nil, false, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, f.name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, false, err
		}
		lines := strings.Split(string(text), "\n")
		for _, n := range complaints(messages, filepath.Base(f.name)) {
			inside := false
			for _, d := range file.Decls {
				decl := declName(d)
				from, to := fset.Position(d.Pos()).Line, fset.Position(d.End()).Line
				if f.tried[decl] < f.most(decl) && from <= n && n <= to {
					refused[decl], inside = true, true
				}
			}
			if !inside && n <= len(lines) {
				for _, word := range words.FindAllString(lines[n-1], -1) {
					refused[word] = true
				}
			}
		}
	}
	for _, f := range rw.files {
		for decl := range refused {
			most := f.most(decl)
			if f.tried[decl] >= most {
				continue
			}
			f.tried[decl]++
			changed = true
			if f.tried[decl] == most {
				names = append(names, decl)
			}
		}
	}
	slices.Sort(names)
	return names, changed, rw.write()
}

var words = regexp.MustCompile(`\w+`)

// complaints returns the lines of a file that messages of the compiler name.
func complaints(messages, base string) (lines []int) {
	for m := range strings.Lines(messages) {
		f := strings.SplitN(strings.TrimSpace(m), ":", 3)
		if len(f) < 3 || filepath.Base(f[0]) != base {
			continue
		}
		n := 0
		for _, c := range f[1] {
			n = 10*n + int(c-'0')
		}
		lines = append(lines, n)
	}
	return lines
}
