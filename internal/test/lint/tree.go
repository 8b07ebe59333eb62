package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Tree is the parsed source of a module.
type Tree struct {
	Module   string // the module's path
	Packages []*Package
	Texts    []Text
	fset     *token.FileSet
}

// A Package is one folder with Go files: a package and its tests.
type Package struct {
	Dir   string // slash-separated, relative to the module; "." is its root
	Name  string // of the files that are no tests; "" if there are none
	Files []*File
}

// A File is one Go file.
type File struct {
	Name string // without the folder
	Test bool
	AST  *ast.File
}

// Load parses the module at the root of fsys, with all files for all systems. It leaves out what the go tool leaves
// out, and modules inside the module.
func Load(fsys fs.FS) (*Tree, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	t := &Tree{fset: token.NewFileSet()}
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			t.Module = strings.TrimSpace(name)
		}
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if skipped(fsys, name) {
			return fs.SkipDir
		}
		return t.loadDir(fsys, name)
	})
	if err != nil {
		return nil, err
	}
	return t, t.loadTexts(fsys)
}

func skipped(fsys fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil
}

func (t *Tree) loadDir(fsys fs.FS, dir string) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	p := &Package{Dir: dir}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".go" {
			continue
		}
		name := path.Join(dir, e.Name())
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f := &File{Name: e.Name(), Test: strings.HasSuffix(e.Name(), "_test.go"), AST: parsed}
		if !f.Test {
			p.Name = parsed.Name.Name
		}
		p.Files = append(p.Files, f)
	}
	if len(p.Files) > 0 {
		t.Packages = append(t.Packages, p)
	}
	return nil
}

// source returns the files that aren't tests.
func (p *Package) source() []*File {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f *File) bool { return f.Test })
}

// imports yields the import paths of a file with their places.
func (f *File) imports(yield func(path string, spec *ast.ImportSpec) bool) {
	for _, spec := range f.AST.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err != nil || !yield(name, spec) {
			return
		}
	}
}

// local returns the folder of an import path of this module; ok is false for packages of other modules.
func (t *Tree) local(importPath string) (dir string, ok bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}

// fault describes one violation of a rule in the format of the go tool's errors.
func (t *Tree) fault(at token.Pos, format string, args ...any) string {
	pos := t.fset.Position(at)
	return fmt.Sprintf("%s:%d: %s", pos.Filename, pos.Line, fmt.Sprintf(format, args...))
}
