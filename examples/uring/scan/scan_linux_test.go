//go:build linux

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// fileOf is a file that can be read past the page cache.
func fileOf(t *testing.T, p []byte) string {
	t.Helper()
	r, err := uring.ProbeFor(nil)
	if err == nil {
		err = r.Require()
	}
	if err != nil {
		t.Skip("no io_uring here: ", err)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no O_DIRECT here: ", err)
	}
	unix.Close(fd)
	return name
}

// TestScan: every byte comes by once, at its place, also those behind the last whole block.
func TestScan(t *testing.T) {
	const block = 4096
	for _, size := range []int{0, 1, block, 200*block + 17} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rand.Uint32())
		}
		name := fileOf(t, want)
		for _, depth := range []int{1, 128} {
			got, seen := make([]byte, size), 0
			s := &scan{block: block, depth: depth, use: func(p []byte, off int64) { seen += copy(got[off:], p) }}
			if err := s.run(name); err != nil {
				t.Fatalf("%d bytes, depth %d: %v", size, depth, err)
			}
			if !bytes.Equal(got, want) || seen != size || s.bytes != int64(size) {
				t.Errorf("%d bytes, depth %d: saw %d, counted %d, or others", size, depth, seen, s.bytes)
			}
		}
	}
}

// TestRandom: it ends when its time is over, and has read what is there.
func TestRandom(t *testing.T) {
	const block, blocks = 4096, 16
	var want []byte
	for i := range blocks {
		want = append(want, bytes.Repeat([]byte{byte(i)}, block)...)
	}
	name := fileOf(t, want)
	s := &scan{block: block, depth: 8, random: true, limit: 20 * time.Millisecond}
	s.use = func(p []byte, off int64) {
		if !bytes.Equal(p, want[off:off+block]) {
			t.Errorf("other bytes at %d", off)
		}
	}
	if err := s.run(name); err != nil || s.reads == 0 || s.bytes != s.reads*block {
		t.Errorf("%d reads, %d bytes: %v", s.reads, s.bytes, err)
	}
	for _, s := range []*scan{{block: 0, depth: 1}, {block: block, depth: 0},
		{block: 2 * blocks * block, depth: 1, random: true, limit: time.Second}} {
		if err := s.run(name); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
	if err := (&scan{block: 1000, depth: 4}).run(name); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Errorf("reads that O_DIRECT does not allow: %v", err)
	}
	if err := s.run(name + "s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
