//go:build linux

package proc

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/file"
)

// A command and the program write to one open file, at its one position: the lines of both are there.
func TestSharedOutput(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		name := filepath.Join(t.TempDir(), "log")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const theirs = 300
		c := Command("sh", "-c", "i=0; while [ $i -lt 300 ]; do echo theirs; i=$((i+1)); done")
		c.Stdout = f
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var ended atomic.Bool
		ours := 0
		join := begin(l, func() {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			ended.Store(true)
		})
		for ; !ended.Load(); ours++ {
			if _, err := f.WriteString("ours\n"); err != nil {
				t.Fatal(err)
			}
		}
		join()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for word, want := range map[string]int{"theirs\n": theirs, "ours\n": ours} {
			if n := strings.Count(string(text), word); n != want {
				t.Errorf("%d lines are %q, want %d", n, word, want)
			}
		}
	})
}
