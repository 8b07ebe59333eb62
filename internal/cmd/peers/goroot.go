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
	"strings"
)

//go:embed _hook/*.go _net/*.go
var hookFiles embed.FS

// makeGoroot copies GOROOT, with Ringo in it.
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
	for _, name := range []string{"pkg", "misc", "test", "api", "doc"} { // nothing writes there
		if err := os.Symlink(filepath.Join(src, name), filepath.Join(dst, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if err := addRingo(ringo, filepath.Join(dst, "src")); err != nil {
		return err
	}
	return hookNet(filepath.Join(dst, "src", "net"))
}

// addRingo makes the module a part of the standard library, with what it imports.
func addRingo(ringo, src string) error {
	if err := os.RemoveAll(filepath.Join(src, "ringo")); err != nil { // of an earlier copy, whose files may be gone
		return err
	}
	const format = "{{if not .Standard}}{{.ImportPath}} {{.Dir}}{{end}}"
	list, err := output(ringo, "go", "list", "-deps", "-f", format, "./sock", "./file")
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
	to := filepath.Join(src, "ringo", "peers")
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	entries, err := hookFiles.ReadDir("_hook")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := writeHook("_hook", e.Name(), to); err != nil {
			return err
		}
	}
	return nil
}

func writeHook(from, name, to string) error {
	text, err := hookFiles.ReadFile(from + "/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, name), text, 0o666)
}

// copySource copies what the compiler needs of one package.
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

// hooked are the methods of package net that ask Ringo first, and whom they ask with which receiver.
var hooked = []struct{ recv, method, ask string }{
	{"Dialer", "DialContext", "RingoDial(ctx, d"},
	{"ListenConfig", "Listen", "RingoListen(ctx, lc"},
	{"ListenConfig", "ListenPacket", "RingoListenPacket(ctx, lc"},
}

// hookNet has package net's methods ask the hooks.
func hookNet(dir string) error {
	name := filepath.Join(dir, "dial.go")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	for i := len(hooked) - 1; i >= 0; i-- { // from the end, so that offsets stay
		h := hooked[i]
		body := methodOf(file, h.recv, h.method)
		if body == nil {
			return fmt.Errorf("%s has no %s.%s", name, h.recv, h.method)
		}
		hook, _, _ := strings.Cut(h.ask, "(")
		ask := "\n\tif " + hook + " != nil {\n\t\tif c, err, ok := " + h.ask + ", network, address); ok {" +
			"\n\t\t\treturn c, err\n\t\t}\n\t}"
		at := fset.Position(body.Lbrace).Offset + 1
		text = []byte(string(text[:at]) + ask + string(text[at:]))
	}
	if err := os.WriteFile(name, text, 0o666); err != nil {
		return err
	}
	return writeHook("_net", "ringo.go", dir)
}

// methodOf finds the body of a method.
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

// output runs a command in a folder.
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
