//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
)

// TestServeLogRotate: the log is renamed and opened again while requests run, and has a line for each of
// them, whole, in one of the files.
func TestServeLogRotate(t *testing.T) {
	t.Parallel()
	const clients, rotations = 4, 5
	dir, logs := site(t, map[string]string{"f": "file"}), t.TempDir()
	name := filepath.Join(logs, "log")
	p, addr := startServe(t, dir, "-log", name, "-loops", "2")
	var stop atomic.Bool
	var asked [clients]int
	var ends sync.WaitGroup
	stopped := sync.OnceFunc(func() { stop.Store(true); ends.Wait() })
	defer stopped()
	for i := range clients {
		c := dial(t, addr)
		r := bufio.NewReader(c)
		ends.Go(func() {
			for !stop.Load() {
				fmt.Fprintf(c, "GET /f?%d-%d HTTP/1.1\r\nHost: h\r\n\r\n", i, asked[i])
				if _, _, err := readAnswer(r, "GET"); err != nil {
					t.Error(err)
					return
				}
				asked[i]++
			}
		})
	}
	for n := range rotations {
		if err := os.Rename(name, fmt.Sprintf("%s.%d", name, n)); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		patience.Until(t, "a new file gets lines", func() bool {
			info, err := os.Stat(name)
			return err == nil && info.Size() > 0
		})
	}
	stopped()
	if stderr := p.finish(); strings.Contains(stderr, "access log") {
		t.Errorf("stderr:\n%s", stderr)
	}
	files, err := filepath.Glob(name + "*")
	if err != nil || len(files) != rotations+1 {
		t.Fatalf("%q, %v, want %d files", files, err, rotations+1)
	}
	wantLines(t, files, asked[:])
}

// wantLines wants a line for each request of each client, and nothing else.
func wantLines(t *testing.T, files []string, asked []int) {
	t.Helper()
	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "GET /f\?(\d+-\d+) HTTP/1\.1" 200 4\n$`)
	seen := make(map[string]int)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for one := range strings.Lines(string(text)) {
			m := line.FindStringSubmatch(one)
			if m == nil {
				t.Fatalf("%s: %q", name, one)
			}
			seen[m[1]]++
		}
	}
	total := 0
	for i, n := range asked {
		for k := range n {
			if id := fmt.Sprintf("%d-%d", i, k); seen[id] != 1 {
				t.Fatalf("request %s is there %d times", id, seen[id])
			}
		}
		total += n
	}
	if len(seen) != total || total == 0 {
		t.Errorf("%d lines, want %d", len(seen), total)
	}
}

// TestServeLogRotateFails: where no new file can be made the old one goes on, and that is told.
func TestServeLogRotateFails(t *testing.T) {
	t.Parallel()
	dir, logs := site(t, map[string]string{"f": "file"}), filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(logs, "log")
	p, addr := startServe(t, dir, "-log", name)
	old, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := os.RemoveAll(logs); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.line("access log: opening it again: ")
	get(t, addr, "/f?after")
	p.finish()
	if text, err := io.ReadAll(old); err != nil || !strings.Contains(string(text), "/f?after") {
		t.Errorf("%q, %v", text, err)
	}
}
