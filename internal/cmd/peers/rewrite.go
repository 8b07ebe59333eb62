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

// Names of package net that are others in rewritten files: the types of which tests say that they get them, and the
// functions that return them.
var (
	types = []string{"TCPConn", "UDPConn", "UnixConn", "TCPListener", "UnixListener"}
	// A Unix connection is of two types on Ringo. A declaration gets the first that has all that it calls.
	kinds     = map[string][]string{"UnixConn": {"UnixConn", "UnixgramConn"}}
	functions = []string{"DialTCP", "ListenTCP", "DialUDP", "ListenUDP", "ListenMulticastUDP", "DialUnix", "ListenUnix",
		"ListenUnixgram"}
	// And those of package os, in folders whose files are to be package file's.
	files = []string{"File", "Open", "Create", "OpenFile", "CreateTemp", "MkdirTemp", "ReadDir", "ReadFile", "Readlink",
		"Stat", "Lstat", "SameFile", "Chmod", "Chown", "Lchown", "Chtimes", "Link", "Symlink", "Mkdir", "MkdirAll",
		"Remove", "RemoveAll", "Rename", "Truncate", "WriteFile"}
)

// A rewriting is a folder's files, in which declarations say net.RingoTCPConn for *net.TCPConn, and so on. Those that
// do not compile so, because they use what the type has inside, are left as they were.
type rewriting struct {
	files []*rewritten
}

type rewritten struct {
	name  string
	text  []byte
	edits []edit
	tried map[string]int // how many ways of changing a declaration have been refused; after the last it stays as it was
	tail  string
}

// An edit replaces a part of a file's text.
type edit struct {
	from, to int
	ways     []string
	decl     string
}

// What to change in a folder.
type change int

const (
	netInTests change = iota
	netInAll
	osInAll // and net
)

// rewrite finds what to change in a folder's tests, or in all of its files.
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
	kept := name + ".orig" // of an earlier run
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
			case *ast.Field: // of a struct, without a name: its name is that of the type
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

// osName is the name by which rewritten files know what stands in for package os; osDecl is no declaration's.
const osName, osDecl = "ringoos", "package os"

// rewriteOS has a file name package peers where it names files of package os. The compiler refuses none of that.
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

// ways are the names to put in the place of one, in the order of trial.
func ways(prefix, id string) (all []string) {
	if kinds[id] == nil {
		return []string{prefix + "Ringo" + id}
	}
	for _, kind := range kinds[id] {
		all = append(all, prefix+"Ringo"+kind)
	}
	return all
}

// way is what an edit puts there now: its last way lasts as long as other edits of the declaration have more. None
// means that the declaration stays.
func (f *rewritten) way(e edit) (text string, ok bool) {
	n := f.tried[e.decl]
	if n >= f.most(e.decl) {
		return "", false
	}
	return e.ways[min(n, len(e.ways)-1)], true
}

// most is how many ways there are to change a declaration.
func (f *rewritten) most(decl string) (n int) {
	for _, e := range f.edits {
		if e.decl == decl {
			n = max(n, len(e.ways))
		}
	}
	return n
}

// declName names a declaration that may be changed. A method of one of net's types stays.
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

// netName is a name of package net as the file writes it.
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

// write writes the files as they are to be now.
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

// leave takes back what the compiler refuses: in the declarations that its messages point into, or else in those that
// the lines which they point at name. It names those that stay as they were from now on; changed is whether there was
// anything to take back.
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

// complaints are the lines of a file that messages of the compiler name.
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
