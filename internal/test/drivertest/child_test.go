//go:build linux

package drivertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
)

// What a child process is to do: which bug its reference driver has, and which
// cases to run.
const (
	bugEnv   = "RINGO_TEST_BUG"
	casesEnv = "RINGO_TEST_CASES"
)

func TestReference(t *testing.T) { Run(t, openReference) }

func openReference(_ *testing.T, cfg driver.Config) driver.Driver {
	return newReference(cfg, bug(os.Getenv(bugEnv)))
}

// TestChild runs the cases that the environment says: none but in a child.
func TestChild(t *testing.T) {
	if os.Getenv(casesEnv) == "" {
		return
	}
	waitMax, hangs = 100*time.Millisecond, 500*time.Millisecond
	wanted := strings.Split(os.Getenv(casesEnv), "|")
	for _, g := range groups {
		for _, c := range g.cases {
			if name := g.name + "/" + c.name; slices.Contains(wanted, name) {
				t.Run(name, func(t *testing.T) { c.run(start(t, onSystem(openReference, 8), c, new(coverage))) })
			}
		}
	}
}

// survive runs cases with a bug, in processes of their own, and says which of them
// passed. A case that hangs ends its process and has failed; those that come after
// it get another. Some bugs are matters of timing: what passes is tried again, a few
// times, before it is said to have.
func survive(ctx context.Context, b bug, names []string) string {
	for tries := 3; ; tries-- {
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$", "-test.v")
		cmd.Env = append(os.Environ(), bugEnv+"="+string(b), casesEnv+"="+strings.Join(names, "|"))
		out, _ := cmd.CombinedOutput()
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return hasFailed(string(out), name) })
		switch len(left) {
		case 0:
			return ""
		case len(names):
			if tries > 1 {
				continue
			}
			return fmt.Sprintf("these pass: %q\n%s", names, out)
		}
		names, tries = left, 4
	}
}

// hasFailed looks for a case's failure in what a child said.
func hasFailed(out, name string) bool {
	test := "TestChild/" + strings.ReplaceAll(name, " ", "_")
	return strings.Contains(out, "--- FAIL: "+test+" (") || strings.Contains(out, test+" hangs in ")
}
