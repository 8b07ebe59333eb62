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
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: typecheck SYSTEM/ARCHITECTURE...")
		os.Exit(2)
	}
	bad := false
	for _, target := range os.Args[1:] {
		n, err := check(".", target)
		fmt.Printf("%s: %d packages and tests\n", target, n)
		if err != nil {
			fmt.Println(err)
			bad = true
		}
	}
	if bad {
		os.Exit(1)
	}
}

// A listed package is an entry in the output of go list. A package comes after those that it imports.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Standard        bool
	Error           *struct{ Err string }
}

// check type-checks the packages of the module in dir, and returns how many there are.
func check(dir, target string) (n int, err error) {
	c, err := read(dir, target)
	if err != nil {
		return 0, err
	}
	return c.own, errors.Join(c.errs...)
}

// read type-checks the packages of the module in dir. Their mistakes are in errs.
func read(dir, target string) (*checker, error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return nil, fmt.Errorf("%q is no SYSTEM/ARCHITECTURE", target)
	}
	list := exec.Command("go", "list", "-e", "-deps", "-test",
		"-json=ImportPath,Dir,GoFiles,ImportMap,Standard,Error", "./...")
	list.Dir, list.Stderr = dir, os.Stderr
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	out, err := list.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := list.Start(); err != nil {
		return nil, err
	}
	c := &checker{dir: dir, files: token.NewFileSet(), known: map[string]*types.Package{"unsafe": types.Unsafe},
		sizes: types.SizesFor("gc", arch)}
	for stream := json.NewDecoder(out); ; {
		var p listed
		if err := stream.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, errors.Join(err, list.Wait())
		}
		c.add(&p)
	}
	if err := list.Wait(); err != nil {
		c.errs = append(c.errs, fmt.Errorf("go list: %w", err))
	}
	return c, nil
}

// A checker has the packages that it has read.
type checker struct {
	dir   string
	files *token.FileSet
	known map[string]*types.Package
	sizes types.Sizes
	own   int
	errs  []error
}

func (c *checker) add(p *listed) {
	switch {
	case p.Error != nil:
		c.errs = append(c.errs, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err))
		return
	case p.ImportPath == "unsafe", strings.HasSuffix(p.ImportPath, ".test"): // go test generates the latter
		return
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		files = append(files, f)
	}
	config := types.Config{
		IgnoreFuncBodies: p.Standard, // the standard library is taken to be right
		Sizes:            c.sizes,
		Importer:         imports{c, p},
		Error:            func(err error) { c.errs = append(c.errs, err) },
	}
	path, _, _ := strings.Cut(p.ImportPath, " ") // the path of a package with its tests has more after it
	c.known[p.ImportPath], _ = config.Check(path, c.files, files, nil)
	if !p.Standard {
		c.own++
	}
}

// imports is the importer of a package. With tests there may be two packages of the same path.
type imports struct {
	*checker
	of *listed
}

func (i imports) Import(path string) (*types.Package, error) {
	if mapped, ok := i.of.ImportMap[path]; ok {
		path = mapped
	}
	if p := i.known[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no package %s", path)
}
