package sock_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test and every case of the contract that docs/defects.md names exists.
func TestDefects(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "defects.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, cases := testsByPackage(t), contractCases(t)
	named := 0
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		if c, ok := strings.CutPrefix(name, "contract: "); ok {
			if c == "a/b" {
				continue // how they are written
			}
			named++
			if group, of, _ := strings.Cut(c, "/"); !strings.Contains(cases[group], `"`+of) {
				t.Errorf("the contract has no case %q", c)
			}
			continue
		}
		pkg, test, ok := strings.Cut(name, ".")
		if !ok || !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Fuzz") || test == "TestX" {
			continue
		}
		named++
		if !tests[pkg+"."+test] {
			t.Errorf("there is no test %s", name)
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named: the page was not understood", named)
	}
}

// testsByPackage lists all tests by the last word of their folder, which for the
// root is ringo, and for the command ringo/cmd.
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		pkg := path.Base(path.Dir(name))
		switch path.Dir(name) {
		case ".":
			pkg = "ringo"
		case "cmd/ringo":
			pkg = "ringo/cmd"
		}
		for _, m := range decl.FindAllStringSubmatch(string(text), -1) {
			found[pkg+"."+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// contractCases gives the source of each group of the contract's cases.
func contractCases(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join("..", "internal", "driver", "drivertest")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	groups := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		groups[strings.TrimSuffix(filepath.Base(name), ".go")] = string(text)
	}
	return groups
}
