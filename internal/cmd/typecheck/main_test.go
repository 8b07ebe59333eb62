package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A mistake for one system, in a package or in its tests, is told for that system alone.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module m\n\ngo 1.25\n",
		"a.go":            "package m\n\nimport \"os\"\n\nvar Pid = os.Getpid()\n",
		"a_windows.go":    "package m\n\nvar wrong int = \"text\"\n",
		"a_test.go":       "package m\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { _ = Pid }\n",
		"b_test.go":       "package m_test\n\nimport \"m\"\nimport \"testing\"\n\nfunc TestB(*testing.T) { m.Pid++ }\n",
		"c_plan9_test.go": "package m_test\n\nvar _ = m.Gone\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for target, want := range map[string]string{
		"linux/386":     "",
		"windows/amd64": "a_windows.go:3:17: cannot use \"text\"",
		"plan9/amd64":   "c_plan9_test.go:3:9: undefined: m",
		"linux":         "is no SYSTEM/ARCHITECTURE",
	} {
		n, err := check(dir, target)
		if want == "" && (err != nil || n != 3) { // the package, with its tests, and the tests outside of it
			t.Errorf("%s: %d packages, %v", target, n, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", target, err, want)
		}
	}
}
