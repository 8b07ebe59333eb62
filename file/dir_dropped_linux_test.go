//go:build linux

package file_test

import (
	"os"
	"runtime"
	"testing"

	"ringo/file"
	"ringo/internal/test/patience"
)

// Dirs and Listings that nobody closed are closed when they are collected, and not
// before.
func TestDirDropped(t *testing.T) {
	dir := tempDir(t)
	func() {
		d, err := file.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.List(".")
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if n := openOn(t, dir); n != 2 {
			t.Errorf("%d descriptors on the directory, want 2", n)
		}
		runtime.KeepAlive(d)
		runtime.KeepAlive(l)
	}()
	patience.Within(t.Name(), func() {
		for openOn(t, dir) > 0 {
			runtime.GC()
			pause(nil)
		}
	})
}

// openOn counts the descriptors that stand for a directory.
func openOn(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := readDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == dir {
			n++
		}
	}
	return n
}
