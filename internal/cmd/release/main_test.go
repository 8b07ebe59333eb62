package main

import (
	"archive/zip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
		"README.md": page, "no-path.md": "<!-- unpublished -->\nNobody has it.\n<!-- end -->\n\nThe end.\n"})
	if err := setPath(dir, "a.b/ringo"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"README.md": want, "no-path.md": "The end.\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	dir = checkout(t, map[string]string{"go.mod": "module ringo\n", "a.md": "<!-- unpublished -->\nNobody.\n"})
	if err := setPath(dir, "a.b/ringo"); err == nil || !strings.Contains(err.Error(), "a.md") {
		t.Errorf("a page whose mark has no end: got %v", err)
	}
}

// TestPaths wants a path that no version v0 or v1 can have to be refused before anything is changed.
func TestPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"example.org/ringo": true, "github.com/SomeBody/ringo": true, "example.org/go-io": true,
		"ringo2": false, "example.org/ringo/v2": false, "gopkg.in/ringo.v1": false, "gopkg.in/ringo": false,
		"example.org/ringo/": false, "example.org/ri ngo": false,
	} {
		dir := checkout(t, map[string]string{"go.mod": "module ringo\n"})
		err := setPath(dir, path)
		text, readErr := os.ReadFile(filepath.Join(dir, "go.mod"))
		if readErr != nil {
			t.Fatal(readErr)
		}
		if renamed := string(text) == "module "+path+"\n"; (err == nil) != want || renamed != want {
			t.Errorf("%s: renamed: %v, %v", path, renamed, err)
		}
	}
}

// TestProxy wants what the go command asks for, by the names that it asks by, with a license in each zip and nothing of
// the modules inside in that of the root.
func TestProxy(t *testing.T) {
	files := map[string]string{"go.mod": "module ringo\n", "a.go": "package ringo\n", "LICENSE": "do\n"}
	for _, dir := range taken {
		files[dir+"/go.mod"] = "module ringo/" + dir + "\n\nrequire ringo v0.0.0\n\nreplace ringo => ../\n"
		files[dir+"/go.sum"], files[dir+"/a.go"] = "", "package a\n"
	}
	dir, proxy := checkout(t, files), t.TempDir()
	if err := setPath(dir, "example.org/SomeBody/ringo"); err != nil {
		t.Fatal(err)
	}
	if err := setVersion(dir, "v0.3.0"); err != nil {
		t.Fatal(err)
	}
	if err := writeProxy(dir, "v0.3.0", time.Unix(1e9, 0), proxy); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{""}, taken...) {
		m := path.Join("example.org/SomeBody/ringo", name)
		z, err := zip.OpenReader(filepath.Join(proxy, "example.org/!some!body/ringo", name, "@v/v0.3.0.zip"))
		if err != nil {
			t.Fatal(err)
		}
		var has []string
		for _, f := range z.File {
			has = append(has, strings.TrimPrefix(f.Name, m+"@v0.3.0/"))
		}
		z.Close()
		slices.Sort(has)
		want := []string{"LICENSE", "a.go", "go.mod"}
		if name != "" {
			want = append(want, "go.sum")
		}
		if !slices.Equal(has, want) {
			t.Errorf("%s has %s, want %s", m, has, want)
		}
	}
	mod, err := os.ReadFile(filepath.Join(proxy, "example.org/!some!body/ringo/ringovet/@v/v0.3.0.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(mod); strings.Contains(s, "replace") || !strings.Contains(s, "example.org/SomeBody/ringo v0.3.0") {
		t.Errorf("ringovet's go.mod is %s", s)
	}
}

// TestBySum wants the order of the go command, which takes any other for a go.sum that is to be mended.
func TestBySum(t *testing.T) {
	want := []string{"a v0.9.0 h1:x/z=\n", "a v0.9.0/go.mod h1:b/b=\n", "a v0.10.0-rc1 h1:a=\n", "a v0.10.0 h1:a=\n",
		"a v0.10.0/go.mod h1:a=\n", "a/b v0.1.0 h1:a=\n"}
	got := slices.Clone(want)
	slices.Sort(got)
	if slices.Equal(got, want) {
		t.Fatal("the lines are in order without versions")
	}
	if slices.SortFunc(got, bySum); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
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
