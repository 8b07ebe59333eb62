package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed _hook/*.go _server/*.go _net/*.go _http/*.go _tls/*.go
var hookFiles embed.FS

// makeGoroot makes a copy of GOROOT with Ringo in it.
func makeGoroot(ringo, dst string) error {
	src, err := output("", "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dst, "bin"), 0o777); err != nil {
		return err
	}
	for _, name := range []string{"VERSION", "go.env", "bin/go", "bin/gofmt", "src", "lib"} {
		to := filepath.Join(dst, filepath.FromSlash(name))
		if _, err := output("", "cp", "-a", "--reflink=auto", "-T", filepath.Join(src, name), to); err != nil {
			return err
		}
	}
	for _, name := range []string{"pkg", "misc", "test", "api", "doc"} { // links will do: nothing writes there
		if err := os.Symlink(filepath.Join(src, name), filepath.Join(dst, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if err := addRingo(ringo, filepath.Join(dst, "src")); err != nil {
		return err
	}
	for _, h := range hooks {
		if err := h.insert(filepath.Join(dst, "src", filepath.FromSlash(h.pkg))); err != nil {
			return err
		}
	}
	return nil
}

// addRingo copies the packages of Ringo, and those that they import, into the standard library.
func addRingo(ringo, src string) error {
	if err := os.RemoveAll(filepath.Join(src, "ringo")); err != nil { // of an earlier copy: its files may be gone
		return err
	}
	const format = "{{if not .Standard}}{{.ImportPath}} {{.Dir}}{{end}}"
	list, err := output(ringo, "go", "list", "-deps", "-f", format, "./sock", "./sock/sockhttp", "./file")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(path, "ringo") {
			path = "vendor/" + path
		}
		if err := copySource(dir, filepath.Join(src, filepath.FromSlash(path))); err != nil {
			return err
		}
	}
	peers := filepath.Join(src, "ringo", "peers")
	if err := writeHooks("_hook", peers); err != nil {
		return err
	}
	return writeHooks("_server", filepath.Join(peers, "server"))
}

// writeHooks writes the embedded files of a folder into a package, which may be new.
func writeHooks(from, to string) error {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	entries, err := hookFiles.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := hookFiles.ReadFile(from + "/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// copySource copies the files of one package that the compiler needs.
func copySource(dir, to string) error {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch filepath.Ext(name) {
		case ".go", ".s", ".h":
		default:
			continue
		}
		if e.IsDir() || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// A hook makes a package of the standard library ask Ringo first: it adds files to it, and inserts code at the begin of
// methods.
type hook struct {
	pkg, added, file string
	methods          []hooked
}

// hooked is a method, and the code to insert at its begin.
type hooked struct{ recv, method, begin string }

var hooks = []hook{
	{"net", "_net", "dial.go", []hooked{
		{"Dialer", "DialContext", asked("RingoDial(ctx, d")},
		{"ListenConfig", "Listen", asked("RingoListen(ctx, lc")},
		{"ListenConfig", "ListenPacket", asked("RingoListenPacket(ctx, lc")},
	}},
	{"crypto/tls", "_tls", "", nil},
	{"net/http", "_http", "server.go", []hooked{
		{"Server", "Serve", served("ringoServe(l)")},
		{"Server", "Shutdown", served("ringoShutdown(ctx)")},
		{"Server", "Close", served("ringoClose()")},
		{"Server", "SetKeepAlivesEnabled", "s.ringoSetKeepAlivesEnabled(v)"},
		{"Server", "RegisterOnShutdown", "s.ringoRegisterOnShutdown(f)"},
	}},
}

// asked returns the code for a method of package net that asks a variable if that is set.
func asked(call string) string {
	name, _, _ := strings.Cut(call, "(")
	return "if " + name + " != nil {\n\t\tif c, err, ok := " + call + ", network, address); ok {" +
		"\n\t\t\treturn c, err\n\t\t}\n\t}"
}

// served returns the code for a method of net/http's server that asks the one that stands in for it.
func served(call string) string {
	return "if err, ok := s." + call + "; ok {\n\t\treturn err\n\t}"
}

// insert makes the changes in the package's folder.
func (h hook) insert(dir string) error {
	if err := writeHooks(h.added, dir); err != nil || h.file == "" {
		return err
	}
	name := filepath.Join(dir, h.file)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, m := range h.methods {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		body := methodOf(file, m.recv, m.method)
		if body == nil {
			return fmt.Errorf("%s has no %s.%s", name, m.recv, m.method)
		}
		at := body.Lbrace - file.FileStart + 1
		text = slices.Concat(text[:at], []byte("\n\t"+m.begin), text[at:])
	}
	return os.WriteFile(name, text, 0o666)
}

// methodOf returns the body of a method, nil if there is none.
func methodOf(file *ast.File, recv, method string) *ast.BlockStmt {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || f.Name.Name != method {
			continue
		}
		if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
			if id, ok := star.X.(*ast.Ident); ok && id.Name == recv {
				return f.Body
			}
		}
	}
	return nil
}

// output runs a command in a folder and returns its stdout.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, &said)
	}
	return strings.TrimSpace(string(out)), nil
}
