package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ringo/ringovet/internal/report"
)

// programs is a module with a folder for each program. A comment says what is found on its line:
//
//	// want `one` `another`      in both modes
//	// want whole `one`          by Program only
//	// want vet `one`            by Analyzer only
//	// want -1 `one`             on the line before
const programs = "testdata/programs"

var (
	wantLine = regexp.MustCompile("// want ((?:whole |vet |-1 )*)(`.*)$")
	wantText = regexp.MustCompile("`([^`]*)`")
)

// wants reads what is to be found in a mode, by "file:line".
func wants(t *testing.T, mode string) map[string][]*regexp.Regexp {
	t.Helper()
	all := map[string][]*regexp.Regexp{}
	err := filepath.WalkDir(programs, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			m := wantLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			at := i + 1
			if strings.Contains(m[1], "-1") {
				at--
			}
			if (strings.Contains(m[1], "whole") || strings.Contains(m[1], "vet")) && !strings.Contains(m[1], mode) {
				continue
			}
			rel, _ := filepath.Rel(programs, name)
			key := fmt.Sprintf("%s:%d", rel, at)
			for _, w := range wantText.FindAllStringSubmatch(m[2], -1) {
				all[key] = append(all[key], regexp.MustCompile(w[1]))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// compare wants exactly what the comments say.
func compare(t *testing.T, mode string, lines []report.Line) {
	t.Helper()
	want := wants(t, mode)
	for _, l := range lines {
		parts := strings.Split(l.Posn, ":")
		key := parts[0] + ":" + parts[1]
		i := slices.IndexFunc(want[key], func(r *regexp.Regexp) bool { return r.MatchString(l.Message) })
		if i < 0 {
			t.Errorf("%s: nobody wants %s", key, l.Message)
			continue
		}
		want[key] = slices.Delete(want[key], i, i+1)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		for _, r := range want[key] {
			t.Errorf("%s: not found: %s", key, r)
		}
	}
}

// TestPrograms runs over right and wrong programs, as whole programs.
func TestPrograms(t *testing.T) {
	dir, err := filepath.Abs(programs)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Program(Options{Dir: dir}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "whole", lines)
	wrong, err := os.ReadDir(filepath.Join(programs, "wrong"))
	if err != nil || len(wrong) < 30 {
		t.Errorf("%d wrong programs, %v", len(wrong), err)
	}
	for _, d := range wrong {
		in := func(l report.Line) bool { return strings.HasPrefix(l.Posn, "wrong/"+d.Name()+"/") }
		if !slices.ContainsFunc(lines, in) {
			t.Errorf("nothing is found in wrong/%s", d.Name())
		}
	}
	for _, l := range lines {
		whole := l.Call != "" && l.Instead != "" && len(l.Path) > 1 && strings.Contains(l.Path[0], " at ")
		if !whole && l.Message != report.NoReason {
			t.Errorf("%+v has something missing", l)
		}
	}
}

// TestTests looks at files of tests, too: a package that has some is there twice then.
func TestTests(t *testing.T) {
	dir, err := filepath.Abs(programs)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Program(Options{Dir: dir, Tests: true}, "./right/hooked/...", "./wrong/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0].Posn, "wrong/sleep/") {
		t.Errorf("want the one finding of wrong/sleep: %+v", lines)
	}
}

// TestVet has go vet run the checker over the same programs.
func TestVet(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "ringovet")
	if out, err := exec.Command("go", "build", "-o", tool, "ringo/ringovet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("go", "vet", "-json", "-vettool="+tool, "./...")
	cmd.Dir = programs
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError // with findings it may fail, and says them
	if len(out) == 0 || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, &said)
	}
	abs, err := filepath.Abs(programs)
	if err != nil {
		t.Fatal(err)
	}
	var lines []report.Line
	d := json.NewDecoder(strings.NewReader(string(out)))
	for d.More() {
		var packages map[string]map[string][]report.Line
		if err := d.Decode(&packages); err != nil {
			t.Fatalf("%v in\n%s%s", err, out, &said)
		}
		for _, byName := range packages {
			lines = append(lines, byName["ringovet"]...)
		}
	}
	for i, l := range lines {
		if rel, err := filepath.Rel(abs, l.Posn); err == nil {
			lines[i].Posn = rel
		}
	}
	compare(t, "vet", lines)
}

// TestRepository wants nothing found in the programs of this repository.
func TestRepository(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Program(Options{Dir: root}, "./examples/...", "./cmd/...")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		t.Error(l.Posn, l.Message)
	}
}

// TestBroken wants an error, and not silence, where there is nothing to look at.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module broken\n\ngo 1.25.0\n",
		"main.go": "package main\n\nfunc main() { missing() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := Program(Options{Dir: dir}, "./...")
	if err == nil || !strings.Contains(err.Error(), "main.go:3:15: undefined: missing") {
		t.Errorf("%v, %v", lines, err)
	}
	if lines, err := Program(Options{Dir: dir}, "./none"); err == nil {
		t.Errorf("of no package: %s lines", strconv.Itoa(len(lines)))
	}
}
