//go:build linux

package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ringo/uring"
)

func TestCopy(t *testing.T) {
	if r, err := uring.ProbeFor(nil); err != nil || !r.Usable {
		t.Skip("no io_uring here: ", r.Refusal, err)
	}
	dir := t.TempDir()
	for _, size := range []int{0, 1, block - 1, block, 5*block + 7, 100 * block} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rand.Uint32())
		}
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		if err := os.WriteFile(from, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(from, to); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := os.ReadFile(to)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d arrived, or others; %v", size, len(got), err)
		}
	}
	for _, from := range []string{"/proc/cpuinfo", "/proc/self/maps"} { // their size is 0
		if err := copyFile(from, filepath.Join(dir, "proc")); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "proc")); err != nil || len(got) == 0 {
			t.Errorf("%s: %d bytes, %v", from, len(got), err)
		}
	}
	if err := copyFile(filepath.Join(dir, "nobody"), filepath.Join(dir, "to")); err == nil {
		t.Error("no file: no error")
	}
	if err := copyFile("/dev/full", dir); err == nil {
		t.Error("to a folder: no error")
	}
}

// TestCopyOntoItself: by whatever name, the file stays as it is.
func TestCopyOntoItself(t *testing.T) {
	dir := t.TempDir()
	from, link := filepath.Join(dir, "from"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(from, []byte("text"), 0o600), os.Symlink(from, link)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{from, link} {
		if err := copyFile(from, to); err == nil {
			t.Errorf("to %s: no error", to)
		}
	}
	if got, err := os.ReadFile(from); string(got) != "text" {
		t.Errorf("left is %q, %v", got, err)
	}
}
