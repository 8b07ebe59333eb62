//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestSum: more files than threads, and fewer, each with its sum; one that is not there fails alone.
func TestSum(t *testing.T) {
	r, err := uring.ProbeFor(nil, uring.CheckMsgRing)
	if err == nil {
		err = r.Require(uring.CheckMsgRing)
	}
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	var names []string
	var want [][]byte
	for i := range 40 {
		p := bytes.Repeat([]byte{byte(i)}, i*10_000)
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(p)
		names, want = append(names, name), append(want, sum[:])
	}
	for _, threads := range []int{1, 3, 50} {
		got, err := sum(names, threads)
		if err != nil {
			t.Fatalf("%d threads: %v", threads, err)
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%d threads, file %d: %x, want %x", threads, i, got[i], want[i])
			}
		}
	}
	got, err := sum([]string{names[7], filepath.Join(dir, "nothing"), dir}, 2)
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a file that is not there, and a folder: %v", err)
	}
	if len(got) != 3 || !bytes.Equal(got[0], want[7]) || got[1] != nil || got[2] != nil {
		t.Errorf("sums %x", got)
	}
}
