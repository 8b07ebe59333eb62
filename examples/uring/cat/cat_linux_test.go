//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestCat: files come out whole, in their order, through a pipe that takes less than a block at a time.
func TestCat(t *testing.T) {
	if r, err := uring.ProbeFor(nil); err != nil || r.Require() != nil {
		t.Skip("no io_uring here: ", errors.Join(err, r.Require()))
	} else if !r.Ops.Has(uring.OpSocket) {
		t.Skip("needs Linux 5.19, which has tables with free places")
	}
	dir := t.TempDir()
	var names []string
	var want []byte
	for i, size := range []int{0, 10, block - 1, block, block + 1, 5*block + 7} {
		p := bytes.Repeat([]byte{byte('a' + i)}, size)
		name := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
		names, want = append(names, name), append(want, p...)
	}
	rd, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	got := make(chan []byte)
	go func() {
		p, _ := io.ReadAll(rd)
		got <- p
	}()
	if err := cat(int(wr.Fd()), names); err != nil {
		t.Error(err)
	}
	wr.Close()
	if p := <-got; !bytes.Equal(p, want) {
		t.Errorf("%d bytes of %d, or others", len(p), len(want))
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for want, c := range map[error]struct {
		out  int
		name string
	}{
		fs.ErrNotExist: {int(full.Fd()), filepath.Join(dir, "nothing")},
		syscall.EISDIR: {int(full.Fd()), dir},
		syscall.ENOSPC: {int(full.Fd()), names[1]},
	} {
		if err := cat(c.out, []string{c.name}); !errors.Is(err, want) {
			t.Errorf("%s: want %v, got %v", c.name, want, err)
		}
	}
}
