//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A block that Direct does not take is refused before the test file is filled, and leaves
// none behind; an old file stays.
func TestBenchUnaligned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/old", []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"", "-file DIR/new", "-rw write -file DIR/new", "-file DIR/old"} {
		_, stderr, err := benchTool(t, words("file -direct -size 1G -block 3 "+args, dir)...)
		if err == nil || !strings.Contains(stderr, "wants a multiple of") || strings.Contains(stderr, "making") {
			t.Errorf("%s: %v, stderr:\n%s", args, err, stderr)
		}
	}
	if names, _ := filepath.Glob(dir + "/*"); len(names) != 1 {
		t.Errorf("left are %v", names)
	}
	if got, _ := os.ReadFile(dir + "/old"); string(got) != "content" {
		t.Errorf("the old file holds %q", got)
	}
}
