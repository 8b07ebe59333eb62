package blockers

import (
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// split takes a name as types.Func.FullName has it apart.
var split = regexp.MustCompile(`^(?:\(\*?(.+)\.(\w+)\)|(.+))\.(\w+)$`)

// TestNamesExist finds each function of the table in the standard library, so that none is misspelled. Packages of
// other modules are left to their users.
func TestNamesExist(t *testing.T) {
	names := slices.Collect(maps.Keys(byName))
	names = slices.AppendSeq(names, maps.Keys(stands))
	names = slices.AppendSeq(names, maps.Keys(elsewhere))
	names = slices.AppendSeq(names, maps.Keys(readsOn))
	paths := map[string]bool{}
	for _, name := range names {
		paths[pathOf(t, name)] = true
	}
	maps.DeleteFunc(paths, func(path string, _ bool) bool { return other(path) })
	cfg := &packages.Config{Mode: packages.NeedName | packages.NeedTypes}
	read, err := packages.Load(cfg, slices.Sorted(maps.Keys(paths))...)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*types.Package{}
	for _, p := range read {
		for _, e := range p.Errors {
			t.Fatal(e)
		}
		byPath[p.PkgPath] = p.Types
	}
	for _, name := range names {
		if path := pathOf(t, name); !other(path) && !exists(byPath[path], name) {
			t.Errorf("there is no %s", name)
		}
	}
}

func other(path string) bool { return strings.Contains(path, ".") || strings.HasPrefix(path, module) }

func pathOf(t *testing.T, name string) string {
	t.Helper()
	m := split.FindStringSubmatch(name)
	if m == nil {
		t.Fatalf("%s is no function's full name", name)
	}
	return m[1] + m[3]
}

// exists reports whether a package has a function, and that its full name is as it was given.
func exists(p *types.Package, name string) bool {
	m := split.FindStringSubmatch(name)
	var obj types.Object
	if m[2] == "" {
		obj = p.Scope().Lookup(m[4])
	} else if typ, ok := p.Scope().Lookup(m[2]).(*types.TypeName); ok {
		obj, _, _ = types.LookupFieldOrMethod(types.NewPointer(typ.Type()), true, p, m[4])
	}
	f, ok := obj.(*types.Func)
	return ok && f.FullName() == name
}

// TestEachSaysWhatInstead wants all columns of all rows.
func TestEachSaysWhatInstead(t *testing.T) {
	rows := 0
	for _, g := range slices.Concat(groups, defaultLogs) {
		g.each(func(b Blocker) {
			rows++
			if got, ok := Of(b.Name); !ok || got.Name != b.Name || b.Why == "" || b.Instead == "" {
				t.Errorf("%s: %+v", b.Name, got)
			}
		})
	}
	if rows != len(byName) {
		t.Errorf("%d rows, %d names: one is there twice", rows, len(byName))
	}
}
