package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A fold is a copy of the tree that has many mistakes at once, so that a test is built once for all of them: a function
// with mistakes has a body for each, and runs the one that the environment names by its number.
type fold struct {
	tree  string
	files []*foldedFile
}

// A foldedFile is a source file and its mistakes: without those outside of functions, which can't be told apart by a
// number, and those that do not compile there.
type foldedFile struct {
	path, pkg string // in the tree; and the package that knows the number
	source    string
	at        *token.FileSet
	parsed    *ast.File
	bodies    []body
	lines     []int // in what was written last: the line at which each body ends
}

// body is what a mistake makes of a function's body.
type body struct {
	by   *mutant
	of   *ast.FuncDecl // as it is without the mistake
	text string
}

const (
	numberEnv     = "MUTANTS_NUMBER" // the mistake that a process has
	numberPackage = "internal/planted"
	numberSource  = `package planted

import (
	"os"
	"strconv"
)

// Number is the mistake that this process has.
var Number, _ = strconv.Atoi(os.Getenv("` + numberEnv + `"))
`
)

// foldAll folds those mistakes of the list that can be, and numbers them: 0 stays with the others.
func foldAll(mutants []*mutant) (f *fold, err error) {
	f = new(fold)
	if f.tree, err = copyTree(); err != nil {
		return nil, err
	}
	byPath := map[string]*foldedFile{}
	for i, m := range mutants {
		if path.Ext(m.file) != ".go" {
			continue
		}
		file := byPath[m.file]
		if file == nil {
			if file, err = f.open(m.file); err != nil {
				return f, err
			}
			byPath[m.file] = file
		}
		bodies, err := file.bodiesWith(m)
		if err == nil {
			m.number = i + 1
			file.bodies = append(file.bodies, bodies...)
		}
	}
	return f, f.write()
}

// open reads a file, and puts the package with the number into its module.
func (f *fold) open(name string) (*foldedFile, error) {
	file := &foldedFile{path: filepath.Join(f.tree, name), at: token.NewFileSet()}
	source, err := os.ReadFile(file.path)
	if err != nil {
		return nil, err
	}
	file.source = string(source)
	if file.parsed, err = parser.ParseFile(file.at, file.path, source, parser.ParseComments); err != nil {
		return nil, err
	}
	module, _ := inModule(f.tree, filepath.Dir(name))
	text, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return nil, err
	}
	file.pkg = string(moduleLine.FindSubmatch(text)[1]) + "/" + numberPackage
	f.files = append(f.files, file)
	dir := filepath.Join(module, numberPackage)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return file, os.WriteFile(filepath.Join(dir, "planted.go"), []byte(numberSource), 0o600)
}

var moduleLine = regexp.MustCompile(`(?m)^module (\S+)`)

var errNotInBodies = errors.New("not only bodies of functions change")

// bodiesWith returns the bodies of functions that a mistake changes.
func (f *foldedFile) bodiesWith(m *mutant) (bodies []body, err error) {
	planted, err := m.plant(strings.Split(f.source, "\n"))
	if err != nil {
		return nil, err
	}
	text, at := strings.Join(planted, "\n"), token.NewFileSet()
	parsed, err := parser.ParseFile(at, "", text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if len(parsed.Decls) != len(f.parsed.Decls) {
		return nil, errNotInBodies
	}
	for i, decl := range parsed.Decls {
		was := f.parsed.Decls[i]
		if between(at, text, decl.Pos(), decl.End()) == between(f.at, f.source, was.Pos(), was.End()) {
			continue
		}
		before, _ := was.(*ast.FuncDecl)
		after, _ := decl.(*ast.FuncDecl)
		if before == nil || after == nil || before.Body == nil || after.Body == nil || !foldable(before, after) {
			return nil, errNotInBodies
		}
		head := between(f.at, f.source, before.Pos(), before.Body.Lbrace)
		if between(at, text, after.Pos(), after.Body.Lbrace) != head {
			return nil, errNotInBodies
		}
		bodies = append(bodies, body{m, before, between(at, text, after.Body.Lbrace+1, after.Body.Rbrace)})
	}
	if len(bodies) == 0 {
		return nil, errNotInBodies
	}
	return bodies, nil
}

func between(at *token.FileSet, text string, from, to token.Pos) string {
	return text[at.Position(from).Offset:at.Position(to).Offset]
}

// foldable reports whether a body means in a block of the function what it means as its body: no := of it sets a
// parameter or result, which in a block it would declare anew, and it has no label. A function with an order to the
// compiler stays as it is.
func foldable(before, after *ast.FuncDecl) bool {
	names := map[string]bool{}
	for _, list := range []*ast.FieldList{after.Recv, after.Type.Params, after.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				names[name.Name] = true
			}
		}
	}
	for _, s := range after.Body.List {
		assign, ok := s.(*ast.AssignStmt)
		if ok && assign.Tok == token.DEFINE && slices.ContainsFunc(assign.Lhs, func(e ast.Expr) bool {
			name, ok := e.(*ast.Ident)
			return ok && names[name.Name]
		}) {
			return false
		}
	}
	labels := false
	ast.Inspect(after.Body, func(n ast.Node) bool {
		_, label := n.(*ast.LabeledStmt)
		labels = labels || label
		return true
	})
	ordered := before.Doc != nil && slices.ContainsFunc(before.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:")
	})
	return !labels && !ordered
}

// write writes the file with all of its bodies.
func (f *foldedFile) write() error {
	if len(f.bodies) == 0 {
		return os.WriteFile(f.path, []byte(f.source), 0o600)
	}
	slices.SortStableFunc(f.bodies, func(a, b body) int { return int(a.of.Pos() - b.of.Pos()) })
	name := f.at.Position(f.parsed.Name.End()).Offset
	text := []byte(f.source[:name] + `; import planted_ ` + strconv.Quote(f.pkg))
	done, ends := name, f.lines[:0]
	for _, b := range f.bodies {
		if brace := f.at.Position(b.of.Body.Lbrace).Offset + 1; brace > done {
			text = append(text, f.source[done:brace]...)
			done = brace
		}
		text = fmt.Appendf(text, "\nif planted_.Number == %d {%s\n", b.by.number, b.text)
		if b.of.Type.Results == nil {
			text = append(text, "return\n"...) // with results a body returns itself
		}
		text = append(text, '}')
		ends = append(ends, bytes.Count(text, []byte("\n"))+1)
	}
	f.lines = ends
	return os.WriteFile(f.path, append(text, f.source[done:]...), 0o600)
}

// write writes all files, without the mistakes that do not compile there.
func (f *fold) write() error {
	for {
		dirs := map[string]bool{}
		for _, file := range f.files {
			file.bodies = slices.DeleteFunc(file.bodies, func(b body) bool { return b.by.number == 0 })
			if err := file.write(); err != nil {
				return err
			}
			dirs[filepath.Dir(file.path)] = true
		}
		broken := false
		for dir := range dirs {
			build := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, ".")
			build.Dir = dir
			out, err := build.CombinedOutput()
			if err == nil {
				continue
			}
			for _, at := range errorLine.FindAllSubmatch(out, -1) {
				line, _ := strconv.Atoi(string(at[2]))
				broken = f.drop(filepath.Join(dir, string(at[1])), line) || broken
			}
		}
		if !broken {
			return nil // what does not compile for another reason, its test reports
		}
	}
}

var errorLine = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: `)

// drop drops the mistake in whose body a line of a file is.
func (f *fold) drop(name string, line int) bool {
	for _, file := range f.files {
		for i, b := range file.bodies {
			begin := file.lines[i] - strings.Count(b.text, "\n") - 2
			if file.path == name && line >= begin && line <= file.lines[i] && b.by.number != 0 {
				b.by.number = 0
				return true
			}
		}
	}
	return false
}
