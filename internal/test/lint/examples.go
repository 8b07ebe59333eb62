package lint

import (
	"fmt"
	"go/doc"
	"strings"
)

// examplesLeast is how many examples a public package needs: one for each of the first things that a newcomer does.
const examplesLeast = 3

// examplesFewer are the packages that have fewer, and why.
var examplesFewer = map[string]struct {
	has int
	why string
}{
	"buf":             {2, "a lease, and aligned memory: no more is in it"},
	"singleflight":    {2, "Do and Forget are all its methods"},
	"sock/sockclient": {2, "a Pool, and a Pipeline"},
}

// Examples is the rule that newcomers find in godoc what to begin with: each public package has examples that go test
// runs, which are those with an "Output:".
func Examples(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !public(p) || strings.HasPrefix(p.Dir, "cmd/") || strings.HasPrefix(p.Dir, "examples/") {
			continue // other modules can't import the packages of programs
		}
		n := 0
		for _, f := range p.Files {
			if f.Test {
				n += played(f)
			}
		}
		fewer, listed := examplesFewer[p.Dir]
		switch {
		case !listed && n < examplesLeast:
			faults = append(faults, fmt.Sprintf("%s: %d examples with an Output, want %d: show the first things that "+
				"a newcomer does with the package, in example_test.go. One that has less to show is in examplesFewer "+
				"of internal/test/lint/examples.go, with the reason.", p.Dir, n, examplesLeast))
		case listed && n < fewer.has:
			faults = append(faults, fmt.Sprintf("%s: %d examples with an Output, and %d were there: %s.", p.Dir, n,
				fewer.has, fewer.why))
		case listed && n > fewer.has:
			faults = append(faults, fmt.Sprintf("%s: examplesFewer in internal/test/lint/examples.go knows of %d "+
				"examples, and there are %d: the list may only shrink.", p.Dir, fewer.has, n))
		}
	}
	return faults
}

// played counts the examples of a file that go test runs: without an output it only compiles them.
func played(f *File) (n int) {
	for _, e := range doc.Examples(f.AST) {
		if e.Output != "" || e.EmptyOutput {
			n++
		}
	}
	return n
}
