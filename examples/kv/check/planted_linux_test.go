package check

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var planted = flag.Int("planted", 2000, "how many worlds may be explored until a planted bug is found")

// Each bug of testdata is found, in raftkv with the patch applied: what clients saw is wrong, or a replica sees that
// something must not be.
func TestPlanted(t *testing.T) {
	patches, err := filepath.Glob("testdata/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no patches: %v", err)
	}
	for _, name := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".patch"), func(t *testing.T) {
			tool := filepath.Join(t.TempDir(), "check.test")
			build := exec.Command("go", "test", "-c", "-o", tool, "-overlay", overlay(t, name), ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			run := exec.Command(tool, "-test.run=^TestLinearizable$", "-seeds", fmt.Sprint(*planted))
			out, err := run.CombinedOutput()
			if err == nil {
				t.Fatalf("nothing was found in %d worlds", *planted)
			}
			text := string(out)
			found := []string{"not linearizable", "has panicked: ", "what none can"}
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(text, s) }) {
				t.Errorf("it failed otherwise:\n%s", text)
			}
			t.Logf("%s", out)
		})
	}
}

// overlay is a file for go's -overlay that has raftkv's file be as a patch makes it.
func overlay(t *testing.T, patch string) string {
	t.Helper()
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	var target string
	var before, after strings.Builder
	_, diff, _ := strings.Cut(string(text), "\n--- ")
	for i, line := range strings.SplitAfter(diff, "\n") {
		switch {
		case i == 0, line == "", strings.HasPrefix(line, "@@"):
		case strings.HasPrefix(line, "+++ b/"):
			target = strings.TrimSpace(strings.TrimPrefix(line, "+++ b/"))
		case line[0] == '-':
			before.WriteString(line[1:])
		case line[0] == '+':
			after.WriteString(line[1:])
		default:
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		}
	}
	path, err := filepath.Abs(filepath.Join("..", target))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), before.String()); n != 1 {
		t.Fatalf("%s: what the patch changes is there %d times", target, n)
	}
	folder := t.TempDir()
	mutant := filepath.Join(folder, "mutant.go")
	changed := strings.Replace(string(source), before.String(), after.String(), 1)
	if err := os.WriteFile(mutant, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
