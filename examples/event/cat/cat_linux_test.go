//go:build linux

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// Files come out whole, in their order, and one that is not there is an error.
func TestCat(t *testing.T) {
	dir := t.TempDir()
	var names []string
	var want []byte
	for i, size := range []int{0, 10, 64 << 10, 200_001} {
		p := bytes.Repeat([]byte{byte('a' + i)}, size)
		name := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
		names, want = append(names, name), append(want, p...)
	}
	var out bytes.Buffer
	if err := cat(&out, names); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%v, %d bytes of %d, or others", err, out.Len(), len(want))
	}
	if err := cat(&out, []string{filepath.Join(dir, "nothing")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
	for _, name := range names[1:] {
		if err := cat(full{}, []string{name}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s to a full disk: %v", name, err)
		}
	}
}

// full is an output that takes nothing.
type full struct{}

func (full) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return 0, syscall.ENOSPC
}
