package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

// taken are the modules inside the root module that are released, in an order in which each requires only earlier ones.
var taken = []string{"ringovet", "metrics/prometheus", "metrics/otel",
	"adapters/database", "adapters/fasthttp", "adapters/gnet", "adapters/hertz", "adapters/kitex"}

// left are the others, and why they are not released.
var left = map[string]string{
	"bench":                "compares with other libraries, from the checkout",
	"examples/kv":          "is an example, and read in the checkout",
	"examples/programs":    "has other people's programs, which tests run from the checkout",
	"internal/cmd/release": "makes releases",
}

// A module is one of the modules in a checkout.
type module struct {
	root, dir string // the checkout, and the module's folder in it: "." for the root
	mod       *modfile.File
}

func (m *module) path() string { return m.mod.Module.Mod.Path }

// in returns the path of a file of the module.
func (m *module) in(name string) string { return filepath.Join(m.root, m.dir, name) }

// write writes the module's go.mod.
func (m *module) write() error {
	m.mod.SortBlocks()
	m.mod.Cleanup()
	text, err := m.mod.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(m.in("go.mod"), text, 0o644)
}

// modules returns the modules of a checkout, the root first. It ignores what is below testdata.
func modules(root string) (all []*module, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := filepath.Base(name); base == "testdata" || base == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		if d.Name() != "go.mod" {
			return nil
		}
		text, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return err
		}
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			return err
		}
		all = append(all, &module{root, filepath.ToSlash(filepath.Dir(name)), f})
		return nil
	})
	slices.SortFunc(all, func(a, b *module) int { return rank(a.dir) - rank(b.dir) })
	return all, err
}

// rank returns a module's place in the order of release.
func rank(dir string) int {
	if dir == "." {
		return -1
	}
	if i := slices.Index(taken, dir); i >= 0 {
		return i
	}
	return len(taken)
}

// released returns the modules that are released. It fails if a module is neither in taken nor in left.
func released(root string) ([]*module, error) {
	all, err := modules(root)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if rank(m.dir) == len(taken) && left[m.dir] == "" {
			return nil, fmt.Errorf("module %s is neither in taken nor in left of internal/cmd/release/modules.go: "+
				"decide whether a stranger may require it", m.path())
		}
	}
	all = slices.DeleteFunc(all, func(m *module) bool { return rank(m.dir) == len(taken) })
	if len(all) != 1+len(taken) {
		return nil, fmt.Errorf("%s has %d of the %d modules that are released", root, len(all), 1+len(taken))
	}
	return all, nil
}
