//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
)

// readOnlyDisk gives a file of n bytes on an ext4 whose disk takes no write any more: a
// loop device over memory that was sealed.
func readOnlyDisk(t *testing.T, n int) (name string) {
	t.Helper()
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Skipf("no memory that can be sealed: memfd_create: %v", err)
	}
	t.Cleanup(func() { unix.Close(memory) })
	if err := unix.Ftruncate(memory, 32<<20); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, fmt.Sprintf("/proc/self/fd/%d", memory))
	if out, err := command("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard",
		loop); err != nil {
		t.Skipf("mkfs.ext4: %v: %s", err, out)
	}
	at := tempDir(t)
	if err := unix.Mount(loop, at, "ext4", 0, "errors=continue"); err != nil {
		t.Skipf("mount of a loop device: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	name = filepath.Join(at, "file")
	if err := writeFile(name, bytesOf(n), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syncAll(at); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(memory), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); err != nil {
		t.Skipf("F_SEAL_WRITE: %v", err)
	}
	return name
}

// syncAll has all of a file system last.
func syncAll(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// A disk that takes no write any more. What went into memory was written, so that the Sync
// behind it fails, once for each open file; past the page cache the write itself does.
// What can be read still is.
func TestFailingWriteback(t *testing.T) {
	const size = 1 << 20
	name := readOnlyDisk(t, size)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			w.take(t, filepath.Dir(name))
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				f, err := file.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				g, err := os.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				if n, err := f.WriteAt(bytesOf(size), 0); n != size || err != nil {
					t.Errorf("WriteAt = %d, %v", n, err)
				}
				if err := f.Sync(); !errors.Is(err, unix.EIO) {
					t.Errorf("Sync: %v, want EIO", err)
				}
				if err := g.Sync(); !errors.Is(err, unix.EIO) {
					t.Errorf("os's Sync of another open file: %v, want EIO", err)
				}
				direct := openDirect(t, name)
				defer direct.Close()
				p := buf.Aligned(1<<16, 4096)
				if n, err := direct.WriteAt(p, 0); n != 0 || !errors.Is(err, unix.EIO) {
					t.Errorf("WriteAt past the page cache = %d, %v, want EIO", n, err)
				}
				if n, err := direct.ReadAt(p, 0); n != len(p) || err != nil || !bytes.Equal(p, bytesOf(len(p))) {
					t.Errorf("ReadAt past the page cache = %d, %v", n, err)
				}
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}
