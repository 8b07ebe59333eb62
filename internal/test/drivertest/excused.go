package drivertest

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// excusedEnv is set in a process that is to run these cases and no others, although they are excused.
const excusedEnv = "RINGO_TEST_EXCUSED"

// putToTest returns the excused cases that this process is to run. It returns nil in an ordinary process.
func putToTest() []string {
	if names := os.Getenv(excusedEnv); names != "" {
		return strings.Split(names, "|")
	}
	return nil
}

// caseNames returns the names of all cases, each with that of its group.
func caseNames() (names []string) {
	for _, g := range groups {
		for _, c := range g.cases {
			names = append(names, g.name+"/"+c.name)
		}
	}
	return names
}

// CheckExcused fails if an excused case does not exist, has no reason, or does not fail when it is run. It runs them in
// another process, through the test of the given name, which calls RunSimulated with the same list.
func CheckExcused(t *testing.T, test string, excused map[string]string) {
	if putToTest() != nil {
		return
	}
	all := caseNames()
	left := slices.Sorted(maps.Keys(excused))
	for _, name := range left {
		if !slices.Contains(all, name) || excused[name] == "" {
			t.Errorf("%q is excused (%q), and is no case, or has no reason", name, excused[name])
		}
	}
	for len(left) > 0 { // a case that hangs ends the process, and those after it have not run
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
		cmd.Env = append(os.Environ(), excusedEnv+"="+strings.Join(left, "|"))
		out, _ := cmd.CombinedOutput()
		before := len(left)
		left = slices.DeleteFunc(left, func(name string) bool {
			said := test + "/" + strings.ReplaceAll(name, " ", "_")
			for _, end := range []string{"PASS", "SKIP"} {
				if strings.Contains(string(out), "--- "+end+": "+said+" (") {
					t.Errorf("%q is excused (%s), and ends with %s", name, excused[name], end)
					return true
				}
			}
			return strings.Contains(string(out), "--- FAIL: "+said+" (") ||
				strings.Contains(string(out), said+" hangs in ")
		})
		if len(left) == before {
			t.Fatalf("these neither pass nor fail: %q\n%s", left, out)
		}
	}
}

// wanted reports whether a case is to be run, and if not, why.
func (on *ground) wanted(name string) (why string, ok bool) {
	if only := putToTest(); only != nil {
		waitMax, hangs = time.Second, 5*time.Second
		return "only excused cases are run", slices.Contains(only, name)
	}
	why = on.excused[name]
	return why, why == ""
}
