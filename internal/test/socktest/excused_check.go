//go:build linux

package socktest

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ringo/internal/race"
	"ringo/internal/test/testmain"
)

// ExcusedFromWorlds fails if a test that is excused from worlds does not exist, is excused twice, or passes there. It
// runs each of them, in other processes, except those marked either.
func ExcusedFromWorlds(t *testing.T, of string) {
	if OnlyWorlds() {
		return
	}
	if !testmain.Long() || race.Enabled {
		t.Skip("hundreds of tests fail or hang")
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.list=.").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := strings.Fields(string(out))
	var left []string
	seen := map[string]bool{}
	for i := range excused {
		e := &excused[i]
		for _, name := range e.tests(of) {
			switch {
			case !slices.Contains(there, name):
				t.Errorf("%s is excused (%s), and is no test", name, e.why)
			case seen[name]:
				t.Errorf("%s is excused twice", name)
			case e.either:
			default:
				left = append(left, name)
			}
			seen[name] = true
		}
	}
	const beside = 4
	var all sync.WaitGroup
	for i := range beside {
		var part []string
		for k := i; k < len(left); k += beside {
			part = append(part, left[k])
		}
		all.Go(func() { wantExcused(t, of, part) })
	}
	all.Wait()
}

// wantExcused runs tests in worlds, as many as possible in one process: a test that hangs ends the process, and those
// after it have to run in a new one.
func wantExcused(t *testing.T, of string, left []string) {
	for len(left) > 0 {
		out := inWorldsOnly(t, left)
		before := len(left)
		left = slices.DeleteFunc(left, func(name string) bool {
			switch endOf(out, name) {
			case "PASS":
				for range 2 { // a test that fails now and then may be excused
					if endOf(inWorldsOnly(t, []string{name}), name) != "PASS" {
						return true
					}
				}
				t.Errorf("%s is excused (%s), and passes", name, excuse(of, name))
				return true
			case "":
				return false
			}
			return true
		})
		if len(left) == before { // the process has ended before the first one did
			left = left[1:]
		}
	}
}

// inWorldsOnly runs the tests in a process that runs tests in worlds only, and returns its output.
func inWorldsOnly(t *testing.T, names []string) string {
	dir := t.TempDir()
	run := func(flags uintptr) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^("+strings.Join(names, "|")+")$", "-test.v")
		cmd.Env = append(os.Environ(), onlyWorldsEnv+"=2s", "TMPDIR="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: flags}
		return cmd.CombinedOutput()
	}
	out, err := run(syscall.CLONE_NEWNS) // so that the mounts of a process that hangs go with it
	if errors.Is(err, syscall.EPERM) {   // without the privilege, it can't mount anything either
		out, _ = run(0)
	}
	return string(out)
}

// endOf returns how a test ended in worlds: PASS, FAIL or SKIP, or "" if it did not end.
func endOf(out, name string) string {
	if strings.Contains(out, name+"/") && regexp.MustCompile(`(?m)^`+name+`/\S* hangs$`).MatchString(out) {
		return "FAIL"
	}
	m := regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): ` + name + ` \(`).FindStringSubmatch(out)
	if m == nil {
		return ""
	}
	if m[1] == "PASS" && !regexp.MustCompile(`(?m)^\s+--- PASS: `+name+`/(\S*/)?`+World+`[ /]`).MatchString(out) {
		return "SKIP"
	}
	return m[1]
}
