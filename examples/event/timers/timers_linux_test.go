//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// Everything is called once, and then the program ends by itself.
func TestTimers(t *testing.T) {
	var out strings.Builder
	if err := run(&out, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	want := []string{"nothing happens any more", "once", "three ticks", "worked in 1000 pieces"}
	if !slices.Equal(lines, want) {
		t.Errorf("printed %q", lines)
	}
}
