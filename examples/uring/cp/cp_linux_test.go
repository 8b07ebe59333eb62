//go:build linux

package main

import (
	"bytes"
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
	if err := copyFile(filepath.Join(dir, "nobody"), filepath.Join(dir, "to")); err == nil {
		t.Error("no file: no error")
	}
	if err := copyFile("/dev/full", dir); err == nil {
		t.Error("to a folder: no error")
	}
}
