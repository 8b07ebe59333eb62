//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ringo/internal/hosted"
	"ringo/internal/race"
	"ringo/internal/test/testmain"
)

// toolPath is the built tool.
var toolPath string

func TestMain(m *testing.M) { os.Exit(buildAndTest(m)) }

// buildAndTest builds the tool, with the race detector if the tests have it.
func buildAndTest(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ringo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	toolPath = filepath.Join(dir, "ringo")
	build := exec.Command("go", "build", "-o", toolPath, fmt.Sprintf("-race=%t", race.Enabled), ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		return 1
	}
	hosted.Shared() // they stay, so they are there before the tests
	return testmain.Run(m)
}
