package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringo/internal/test/testmain"
)

// Mistakes that are built together are told apart, and those that can't be are tried all the same: one outside of
// functions, one that sets a result by :=, and one that does not compile.
func TestTogether(t *testing.T) {
	testmain.NeedLong(t, "builds programs; .ci/mutants runs it")
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module example\n\ngo 1.25\n",
		"a.go": `package example // a comment

const limit = 3

func Add(a, b int) int {
	return a + b
}

func Note(to *int, n int) {
	if n > limit {
		n = limit
	}
	*to = n
}

func Split(n int) (half int, err error) {
	half = n / 2
	return half, err
}
`,
		"a_test.go": `package example

import "testing"

func TestAdd(t *testing.T) {
	if n := Add(1, 2); n != 3 {
		t.Error(n)
	}
}

func TestNote(t *testing.T) {
	var n int
	if Note(&n, 7); n != 3 {
		t.Error(n)
	}
}

func TestSplit(t *testing.T) {
	if n, err := Split(4); n != 2 || err != nil {
		t.Error(n, err)
	}
}
`,
		"table": `
== subtracts
file a.go
test . TestAdd
- return a + b
+ return a - b

== adds in another order
file a.go
test . TestAdd
- return a + b
+ return b + a

== notes nothing
file a.go
test . TestNote
- *to = n

== another limit
file a.go
test . TestNote
- const limit = 3
+ const limit = 4

== a result anew
file a.go
test . TestSplit
- half = n / 2
+ half, one := n/3, 1
+ half *= one

== does not compile
file a.go
test . TestSplit
- half = n / 2
+ half = nothing / 2
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mutants, err := read("table")
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	killed, err := tryAll(t.Context(), mutants, 2, kept)
	if err != nil || killed != 4 {
		t.Errorf("%d killed, %v", killed, err)
	}
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		survives := m.name == "adds in another order" || m.name == "does not compile"
		if strings.Contains(string(text), m.survived()) != survives ||
			strings.Contains(string(text), m.killed()) == survives {
			t.Errorf("%s: of\n%s", m.name, text)
		}
		together := slices.Contains([]string{"subtracts", "adds in another order", "notes nothing"}, m.name)
		if together != (m.number > 0) {
			t.Errorf("%s is built together with others: %t", m.name, !together)
		}
	}
}
