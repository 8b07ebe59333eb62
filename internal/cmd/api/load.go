package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// A listed package is an entry in the output of go list. A package comes after those that it imports.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct{ Path string }
	Error           *struct{ Err string }
}

// load type-checks packages of a module for a system, with all that they import and without the bodies of functions,
// and calls list with the lines of each.
func load(root, system string, packages []string, list func(dir string, names []string)) error {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module,Error")
	for _, dir := range packages {
		cmd.Args = append(cmd.Args, "./"+dir)
	}
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l := &loader{fset: token.NewFileSet(), known: map[string]*types.Package{"unsafe": types.Unsafe}}
	if l.root, err = filepath.Abs(root); err != nil {
		return err
	}
	for stream := json.NewDecoder(out); ; {
		var p listed
		if err := stream.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return errors.Join(err, cmd.Wait())
		}
		if err := l.add(&p); err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for _, dir := range packages {
		pkg := l.at[filepath.Join(l.root, dir)]
		if pkg == nil {
			return fmt.Errorf("there is no package in %s", dir)
		}
		list(dir, exported(pkg, l.modules[pkg]))
	}
	return nil
}

// A loader has the packages that it has read.
type loader struct {
	root  string
	fset  *token.FileSet
	known map[string]*types.Package
	at    map[string]*types.Package // by folder
	// modules are the paths of the packages' modules. Packages of the standard library have none.
	modules map[*types.Package]string
}

func (l *loader) add(p *listed) error {
	if p.ImportPath == "unsafe" {
		return nil
	}
	if p.Error != nil {
		return fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err)
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(l.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	config := types.Config{IgnoreFuncBodies: true, Importer: imports{l, p}, Sizes: types.SizesFor("gc", "amd64")}
	pkg, err := config.Check(p.ImportPath, l.fset, files, nil)
	if err != nil {
		return err
	}
	if l.at == nil {
		l.at, l.modules = map[string]*types.Package{}, map[*types.Package]string{}
	}
	if p.Module != nil {
		l.modules[pkg] = p.Module.Path
	}
	l.known[p.ImportPath], l.at[p.Dir] = pkg, pkg
	return nil
}

// imports is the importer of a package. It finds packages that were loaded before.
type imports struct {
	l *loader
	p *listed
}

func (i imports) Import(name string) (*types.Package, error) {
	if to, ok := i.p.ImportMap[name]; ok {
		name = to
	}
	if pkg := i.l.known[name]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("%s was not read before %s", name, i.p.ImportPath)
}
