package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringo/internal/test/testmain"
)

// A test of somebody else's module that uses what there is on Linux compiles for other systems: of each public package
// it has every name. One that uses package sim once did not, for there was none.
func TestStranger(t *testing.T) {
	testmain.NeedLong(t, "six seconds of a processor; the other systems of .ci/run are checked with it")
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	module, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSpace(string(module))
	c, err := read(root, "linux/amd64")
	if err := errors.Join(append(c.errs, err)...); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n := writeStranger(t, dir, root, path, c.known)
	if n < 400 {
		t.Errorf("the module uses %d names", n)
	}
	for _, target := range []string{"js/wasm", "linux/amd64", "darwin/arm64", "windows/amd64", "freebsd/amd64"} {
		if _, err := check(dir, target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// writeStranger writes a module whose test has a mention of each name that a public package exports, and counts them.
func writeStranger(t *testing.T, dir, root, path string, known map[string]*types.Package) (names int) {
	t.Helper()
	var imports, uses bytes.Buffer
	for i, of := range slices.Sorted(maps.Keys(known)) {
		p := known[of]
		if !strings.HasPrefix(of+"/", path+"/") || strings.Contains(of+"/", "/internal/") || p.Name() == "main" ||
			strings.Contains(of, " ") || strings.HasSuffix(of, "_test") { // those with tests, and tests
			continue
		}
		before := names
		for _, name := range p.Scope().Names() {
			if form := mention(p.Scope().Lookup(name)); token.IsExported(name) && form != "" {
				fmt.Fprintf(&uses, form+"\n", fmt.Sprintf("p%d.%s", i, name))
				names++
			}
		}
		as := fmt.Sprint("p", i)
		if names == before {
			as = "_"
		}
		fmt.Fprintf(&imports, "import %s %q\n", as, of)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(mod), "module "+path, "module stranger", 1) +
		fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", path, path, root)
	for name, text := range map[string]string{
		"go.mod":           own,
		"go.sum":           string(sum),
		"stranger_test.go": "package stranger\n\n" + imports.String() + uses.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// mention is the form of a declaration that uses a name; empty: it needs arguments of types.
func mention(o types.Object) string {
	switch x := o.(type) {
	case *types.Func:
		if x.Signature().TypeParams().Len() > 0 {
			return ""
		}
	case *types.TypeName:
		if t, ok := x.Type().(interface{ TypeParams() *types.TypeParamList }); ok && t.TypeParams().Len() > 0 {
			return ""
		}
		return "type _ = %s"
	case *types.Const:
		return "const _ = %s"
	}
	return "var _ = %s"
}
