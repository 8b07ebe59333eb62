//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// epoch is when the files of the tests were written.
var epoch = time.Date(2021, 5, 6, 7, 8, 9, 987654321, time.UTC)

// site makes a directory with files of these names, each with its content.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	return dir
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, epoch, epoch); err != nil {
		t.Fatal(err)
	}
}

// startServe serves a directory and gives the address to dial.
func startServe(t *testing.T, dir string, args ...string) (p *process, addr string) {
	t.Helper()
	args = append([]string{"serve", "-listen", anyPort}, args...)
	p = start(t, tool(t, append(args, dir)...))
	return p, p.addr()
}

// ask sends bytes on a connection and reads an answer to a request of the method.
func ask(t *testing.T, c net.Conn, method, text string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("%.50q: %v", text, err)
	}
	a, body, err := readAnswer(bufio.NewReader(c), method)
	if err != nil {
		t.Fatalf("%.50q: %v", text, err)
	}
	return a, body
}

func readAnswer(r *bufio.Reader, method string) (*http.Response, string, error) {
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(a.Body)
	return a, string(body), err
}

// get asks for a path on a connection of its own.
func get(t *testing.T, addr, path string) (*http.Response, string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	return ask(t, c, "GET", fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path))
}

// wantStatus asks for a path and wants a status.
func wantStatus(t *testing.T, addr, path string, want int) {
	t.Helper()
	if a, body := get(t, addr, path); a.StatusCode != want {
		t.Errorf("%s: %s %.50q, want %d", path, a.Status, body, want)
	}
}

// wantFile asks for a path and wants a file.
func wantFile(t *testing.T, addr, path, want string) {
	t.Helper()
	if a, body := get(t, addr, path); a.StatusCode != 200 || body != want {
		t.Errorf("%s: %s %.50q of %d bytes, want %.50q of %d", path, a.Status, body, len(body), want, len(want))
	}
}

// eventually wants something to become true within patience.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// descriptors are what a process's descriptors lead to.
func (p *process) descriptors() (all []string) {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range names {
		if to, err := os.Readlink(filepath.Join(dir, n.Name())); err == nil {
			all = append(all, to)
		}
	}
	return all
}

// filesBelow counts a process's descriptors of files below a directory.
func (p *process) filesBelow(dir string) (n int) {
	for _, to := range p.descriptors() {
		if strings.HasPrefix(to, dir+"/") {
			n++
		}
	}
	return n
}

// sockets counts a process's sockets: a listener for each loop, and connections.
func (p *process) sockets() (n int) {
	for _, to := range p.descriptors() {
		if strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// numbered is n bytes of lines that count.
func numbered(n int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d of a file\n", i)
	}
	return b.String()[:n]
}
