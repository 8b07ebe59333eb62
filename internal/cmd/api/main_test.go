package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const before = `package p

import "m/a/dice"

type Conn struct { base; *far; Name string "json:\"name\"" }

type base struct{ Size int }

type far struct{ Port int }

func (*base) Read(p []byte) (n int, err error) { return 0, nil }

func (Conn) Close() error { return nil }

type Reader interface{ reads; Seek(at int) }

type reads interface{ Read([]byte) (int, error) }

type number interface{ ~int | ~int64 }

type handle struct{ n []int }

func (*handle) Stop() {}

type List[T any] = []T

const Max = 3

const Text = "a text that is longer than what is shown of a constant where there is little room for it: 1"

func Open[T any](name string, each func(n int)) (*Conn, T) { panic(0) }

func Sum[T number](all ...T) T { panic(0) }

func Start() *handle { return nil }

func Dice() *dice.Dice { return nil }
`

// TestPlanted wants each change that breaks a program to be found, and no other.
func TestPlanted(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a parameter's name", "name string,", "path string,", ""},
		{"a name in a parameter's type", "each func(n int)", "each func(int)", ""},
		{"a name in an interface", "Seek(at int)", "Seek(to int)", ""},
		{"a method from elsewhere", "{ reads; Seek", "{ Read([]byte) (int, error); Seek", ""},
		{"a new field", "Name string", "Path string; Name string", ""},
		{"a function is gone", "func Open", "func open", "p: func Open[T any](string, func(int)) (*p.Conn, T)"},
		{"a parameter more", "name string,", "name string, flag int,", "p: func Open"},
		{"a parameter of any number", "all ...T", "all []T", "p: func Sum"},
		{"another result", "Close() error { return nil }", "Close() {}", "p: method (Conn) Close() error"},
		{"a pointer's method", "(Conn) Close", "(*Conn) Close", "p: method (Conn) Close"},
		{"a promoted method", ") Read(p", ") read(p", "p: method (*Conn) Read([]byte) (int, error)"},
		{"a promoted field", "Size int", "size int", "p: field Conn.Size int"},
		{"a pointer's promoted field", "Port int", "port int", "p: field Conn.Port int"},
		{"a tag", "json:", "xml:", "p: field Conn.Name string"},
		{"what can't be compared", "Name string", "parts []int; Name string", "p: comparable Conn"},
		{"a method that all have to have", "{ reads;", "{ reads; Close();", "p: type Reader interface"},
		{"one by an embedded interface", "reads interface{", "reads interface{ Close();", "p: type Reader interface"},
		{"one that no other package can have", "{ reads;", "{ reads; is();", "p: type Reader interface"},
		{"a constraint", "any] = []T", "comparable] = []T", "p: type List[T any] ="},
		{"a constraint without a name", "~int | ~int64", "~int", "p: type number interface{~int | ~int64}"},
		{"a method of a type without a name", ") Stop()", ") stop()", "p: method (*handle) Stop()"},
		{"another package of the name", `"m/a/dice"`, `"m/b/dice"`, "p: func Dice() *a/dice.Dice"},
		{"the end of a long text", "for it: 1", "for it: 2", "p: const Text untyped string"},
		{"a value", "Max = 3", "Max = 4", "p: const Max untyped int = 3"},
		{"one system has it", "const Max = 3", "", "no more on darwin, windows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := released(t)
			put := func(name, text string) { put(t, dir, name, text) }
			put("p/p.go", strings.Replace(before, c.old, c.new, 1))
			if c.name == "one system has it" {
				put("p/p_linux.go", "package p\nconst Max = 3\n")
			}
			err := run(dir, []string{"p"}, false)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case c.want != "":
				line := strings.TrimSpace(strings.Split(err.Error(), "\n")[0])
				put("api/except", "# a reason\n"+line+"\n")
				if err := run(dir, []string{"p"}, false); err != nil && strings.Contains(err.Error(), line+"\n") {
					t.Errorf("excepted, and still: %v", err)
				}
			}
		})
	}
}

// TestOtherPath wants the lists to hold whatever the module's path is, as .ci/release makes another.
func TestOtherPath(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "api/except", "")
	put(t, dir, "buf/buf.go", "package buf\n\ntype Lease struct{}\n")
	for i, path := range []string{"ringo", "example.org/go-io"} {
		put(t, dir, "go.mod", "module "+path+"\n\ngo 1.25\n")
		put(t, dir, "ringo.go", "package ringo\n\nimport \""+path+"/buf\"\n\nfunc Run(*Loop, *buf.Lease) {}\n\n"+
			"type Loop int\n")
		if err := run(dir, []string{"."}, i == 0); err != nil {
			t.Error(err)
		}
	}
}

// TestLists wants lists that promise nothing to be found, and exceptions without a reason, without a need, or for
// another system than the one that lacks the name.
func TestLists(t *testing.T) {
	const line = "p: const Max untyped int = 3"
	for _, c := range []struct{ name, file, text, want string }{
		{"an empty list", "api/p.txt", "", "p.txt is empty"},
		{"no reason", "api/except", line + "\n", "has no reason"},
		{"the head is no reason", "api/except", exceptHead + line + "\n", "has no reason"},
		{"a reason that is another's", "api/except", "# a reason\n" + line + "\n\n" + line + "\n", "has no reason"},
		{"no need", "api/except", "# a reason\np: func Open()\n", "is not needed"},
		{"another system", "api/except", "# a reason\n" + line + " [windows]\n", "no more on linux, darwin"},
		{"right", "api/except", exceptHead + "# a reason\n" + line + "\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := released(t)
			put(t, dir, c.file, c.text)
			if strings.Contains(c.text, "Max") {
				put(t, dir, "p/p.go", strings.Replace(before, "Max = 3", "Max = 4", 1))
			}
			err := run(dir, []string{"p"}, false)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestFrozen wants the tool, the lists and docs/versions.md to be of the same packages.
func TestFrozen(t *testing.T) {
	text, err := os.ReadFile("../../../docs/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), "| frozen:")
	if !ok {
		t.Fatal("docs/versions.md has no row that is frozen")
	}
	row := head[strings.LastIndexByte(head, '\n')+1:]
	var page []string
	for i, name := range strings.Split(row, "`") {
		if i%2 == 1 {
			page = append(page, name)
		}
	}
	files, err := filepath.Glob("../../../api/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, name := range files {
		lists = append(lists, strings.TrimSuffix(filepath.Base(name), ".txt"))
	}
	tool := slices.Clone(frozen)
	tool[slices.Index(tool, ".")] = "ringo"
	for _, names := range [][]string{page, lists, tool} {
		slices.Sort(names)
	}
	if !slices.Equal(page, tool) || !slices.Equal(lists, tool) {
		t.Errorf("the page has %v, the lists are of %v, the tool looks at %v", page, lists, tool)
	}
	if except, err := os.ReadFile("../../../api/except"); err != nil || !strings.HasPrefix(string(except), exceptHead) {
		t.Errorf("api/except has another head than the one that is no reason: %v", err)
	}
}

// released is the folder of a module whose lists are those of its only package.
func released(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "go.mod", "module m\n\ngo 1.25\n")
	put(t, dir, "api/except", "")
	put(t, dir, "p/p.go", before)
	put(t, dir, "a/dice/dice.go", "package dice\n\ntype Dice struct{}\n")
	put(t, dir, "b/dice/dice.go", "package dice\n\ntype Dice struct{}\n")
	if err := run(dir, []string{"p"}, true); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
