package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout writes files, and returns their folder.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRenaming wants what is a path to become the other, and nothing else to change. In each case % is the path.
func TestRenaming(t *testing.T) {
	dir := checkout(t, map[string]string{"go.mod": "module ringo\n", "sock/a.go": "", "internal/op/a.go": "",
		"bench/go.mod": "", "cmd/ringo/a.go": "", "docs/a.md": "", "testdata/a.go": ""})
	there, err := newRenaming(dir, "ringo", "example.org/x/ringo")
	if err != nil {
		t.Fatal(err)
	}
	back, err := newRenaming(dir, "example.org/x/ringo", "ringo")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"import (\n\t\"io\"\n\n\t\"%\"\n\tr \"%\"\n\t\"%/sock\"\n)",
		`import "%"; import x "%/internal/op"`,
		"module %\n", "module %/bench\n", "`module %\\n`", "require (\n\t% v0.0.0\n)", "replace % => ../../",
		"require % v0.1.0", "replace %/bench => ./bench",
		`"(*%.Loop).Go" "(*%.Sharded[K, V]).Each" {"%.Run", 2, Task} "%.(*Mutex).Lock" "(*%/sock.Conn).Read"`,
		"const module = \"%\"\nconst Module = \"%\"",
		`"%/" "%/sock" "%/sock_test.f" "%/internal/" %/cmd/ringo`,
		"task %_test.f.func1 \"%_test.f\" \\n%_test.f <- %_test.g name=%_test.h",
		"go get %@v0.1.0", "go get -tool %/bench@v0.1.0", "go mod edit -require=%@v0.0.0 -replace=%=..",
		"| % | a |\n| %/sock | b |",

		"/debug/ringo/sock cmd/ringo/internal ./ringo/sock github.com/a/ringo/sock my-ringo/sock",
		"ringo/cmd.TestX ringo/socket ringo/docs ringo/testdata \"ringo/internal\" ringo/ ringo",
		`"ringo" ringo.Run(x) "ringo.Chan.Send" "ringo.test" "ringo: text" *ringo.Loop`,
		"package ringo // Package ringo is\n| `ringo` | x |",
	} {
		ours, theirs := strings.ReplaceAll(text, "%", "ringo"), strings.ReplaceAll(text, "%", "example.org/x/ringo")
		if got := there.text(ours); got != theirs {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", ours, got, theirs)
		}
		if got := back.text(theirs); got != ours {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", theirs, got, ours)
		}
	}
}

// TestPages wants the programs of a page to be formatted under their new path, and what is true until then to go.
func TestPages(t *testing.T) {
	page := "```go\npackage main\n\nimport (\n\t\"io\"\n\t\"ringo/sock\"\n)\n```\n\n" +
		"```go\nx :=  1\n```\n\n" +
		"<!-- unpublished -->\nNobody has it.\n\n    cp\n<!-- end -->\n\nThe end of ringo.\n"
	want := "```go\npackage main\n\nimport (\n\t\"a.b/ringo/sock\"\n\t\"io\"\n)\n```\n\n" +
		"```go\nx :=  1\n```\n\n" +
		"The end of ringo.\n"
	dir := checkout(t, map[string]string{"go.mod": "module ringo\n", "sock/a.go": "package sock\n",
		"README.md": page})
	if err := setPath(dir, "a.b/ringo"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestUndecided wants an error if a module has no place.
func TestUndecided(t *testing.T) {
	files := map[string]string{"go.mod": "module ringo\n", "new/go.mod": "module ringo/new\n"}
	for _, dir := range taken {
		files[dir+"/go.mod"] = "module ringo/" + dir + "\n"
	}
	_, err := released(checkout(t, files))
	if err == nil || !strings.Contains(err.Error(), "module ringo/new is neither") {
		t.Errorf("got %v", err)
	}
	delete(files, "new/go.mod")
	if all, err := released(checkout(t, files)); err != nil || len(all) != 1+len(taken) || all[0].dir != "." {
		t.Errorf("got %d modules, %v", len(all), err)
	}
}
