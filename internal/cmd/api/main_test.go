package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const before = `package p

type Conn struct { base; Name string }

type base struct{ Size int }

func (*base) Read(p []byte) (n int, err error) { return 0, nil }

func (Conn) Close() error { return nil }

type Reader interface{ Read([]byte) (int, error) }

const Max = 3

func Open[T any](name string) (*Conn, T) { panic(0) }
`

// TestPlanted wants each change that breaks a program to be found, and no other.
func TestPlanted(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a parameter's name", "name string)", "path string)", ""},
		{"a new field", "Name string", "Name, Path string", ""},
		{"a function is gone", "func Open", "func open", "p: func Open[T any](string) (*p.Conn, T)"},
		{"a parameter more", "name string)", "name string, flag int)", "p: func Open"},
		{"another result", "Close() error { return nil }", "Close() {}", "p: method (Conn) Close() error"},
		{"a pointer's method", "(Conn) Close", "(*Conn) Close", "p: method (Conn) Close"},
		{"a promoted method", ") Read(p", ") read(p", "p: method (*Conn) Read([]byte) (int, error)"},
		{"a promoted field", "Size int", "size int", "p: field Conn.Size int"},
		{"a method that all have to have", "interface{ Read", "interface{ Close(); Read", "p: type Reader interface"},
		{"a value", "Max = 3", "Max = 4", "p: const Max untyped int = 3"},
		{"one system has it", "const Max = 3", "", "no more on darwin, windows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.MkdirAll(filepath.Join(dir, "p"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "api"), 0o755); err != nil {
				t.Fatal(err)
			}
			put("go.mod", "module m\n\ngo 1.25\n")
			put("api/except", "")
			put("p/p.go", before)
			if err := run(dir, []string{"p"}, true); err != nil {
				t.Fatal(err)
			}
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
