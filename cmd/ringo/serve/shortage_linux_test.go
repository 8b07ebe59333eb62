//go:build linux

package serve

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A server that may have 64 descriptors serves 200 files to a client that asks for one after the other: what it keeps
// open makes room.
func TestShortOfDescriptors(t *testing.T) {
	if dir := os.Getenv("RINGO_SERVE_SHORT"); dir != "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
			t.Fatal(err)
		}
		if err := Run([]string{"-listen", "127.0.0.1:0", "-loops", "2", dir}, io.Discard, os.Stderr); err != nil {
			t.Fatal(err)
		}
		return
	}
	const files = 200
	dir := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(fmt.Sprint("file ", i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(os.Args[0], "-test.run=^TestShortOfDescriptors$")
	server.Env = append(os.Environ(), "RINGO_SERVE_SHORT="+dir)
	told, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	var addr string
	lines := bufio.NewScanner(told)
	for addr == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listening tcp://"); ok {
			addr, _, _ = strings.Cut(rest, " ")
		}
	}
	go io.Copy(io.Discard, told)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range files {
		resp, err := client.Get(fmt.Sprintf("http://%s/%d", addr, i))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprint("file ", i); string(body) != want || err != nil {
			t.Fatalf("%d: %s, %q, %v", i, resp.Status, body, err)
		}
	}
}
