//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// The README shows this program, says that it has twelve lines, and is what gets built and run here.
func TestREADMEProgram(t *testing.T) {
	program := readmeProgram(t)
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if _, code, _ := strings.Cut(string(source), "\npackage main\n"); "package main\n"+code != program {
		t.Errorf("README.md and main.go differ; README.md has\n%s", program)
	}
	if n := strings.Count(program, "\n"); n != 12 {
		t.Errorf("the program has %d lines, the README says 12", n)
	}

	address := freeAddress(t)
	tool := build(t, strings.Replace(program, `":7000"`, `"`+address+`"`, 1))
	server := exec.Command(tool)
	server.Stderr = t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()

	c := dial(t, address)
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Fatalf("sent hello, got %q, %v", got, err)
	}
}

// readmeProgram is the first Go code of the README.
func readmeProgram(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```go\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatal("README.md has no block of Go")
	}
	return program
}

// build compiles a program as if it were main.go here.
func build(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	main, err := filepath.Abs("main.go")
	if err != nil {
		t.Fatal(err)
	}
	instead := filepath.Join(dir, "main.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {main: instead}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{instead: []byte(program), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join(dir, "echo")
	out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o",
		tool, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return tool
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// dial connects as soon as the server listens, of which the program says nothing.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var c net.Conn
	patience.Until(t, "a server", func() (is bool) {
		var err error
		c, err = net.Dial("tcp", address) // ECONNREFUSED comes at once
		return err == nil
	})
	c.SetDeadline(patience.Deadline())
	return c
}
