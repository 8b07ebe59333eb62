//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// On a full disk what was there stays, and nothing is left beside it.
func TestFullDisk(t *testing.T) {
	dir := tempDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no small file system to fill: mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		if err := writeFile(dir+"/file", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		large := make([]byte, 1<<20)
		if err := file.WriteFileAtomic(dir+"/file", large, 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("WriteFileAtomic: %v, want ENOSPC", err)
		}
		if got, _ := readFile(dir + "/file"); string(got) != "old" || names(t, dir) != "file" {
			t.Errorf("the file holds %q, and beside it are %s", got, names(t, dir))
		}
		src := tempDir(t) + "/large"
		if err := writeFile(src, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := file.CopyFile(dir+"/copy", src); !errors.Is(err, syscall.ENOSPC) || n >= 1<<20 {
			t.Errorf("CopyFile = %d, %v, want ENOSPC", n, err)
		}
		if err := file.Remove(dir + "/copy"); err != nil {
			t.Error(err)
		}
	})
}
