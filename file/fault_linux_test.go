//go:build linux

package file_test

import (
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

// A disk that is full: the count says what went out, the error why no more did.
func TestNoSpace(t *testing.T) {
	dir := tempDir(t)
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no tmpfs of our own: mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
		g, err := os.Create(theirs)
		if err != nil {
			t.Fatal(err)
		}
		wantN, want := g.Write(make([]byte, 100_000))
		g.Close()
		os.Remove(theirs)
		f, err := file.Create(ours)
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.Write(make([]byte, 100_000))
		if n != wantN || !sameError(err, want) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Write = %d, %v, want %d, %v", n, err, wantN, want)
		}
		if err := f.Allocate(0, 0, 1<<20); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Allocate: %v, want ENOSPC", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		os.Remove(ours)
	})
}

// failing gives a folder on an ext4 whose disk ends in its middle, and a file there of
// which the second half can't be read.
func failing(t *testing.T) (name string, half int64) {
	t.Helper()
	const size = 32 << 20
	dir := tempDir(t)
	image := filepath.Join(dir, "image")
	if err := writeFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, image)
	if out, err := command("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=0", loop); err != nil {
		t.Skipf("mkfs.ext4: %v: %s", err, out)
	}
	at := filepath.Join(dir, "mnt")
	if err := makeDir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(loop, at, "ext4", 0, "errors=continue"); err != nil {
		t.Skipf("mount of a loop device: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	name = filepath.Join(at, "file")
	if err := writeFile(name, bytesOf(24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 16<<20); err != nil {
		t.Fatal(err)
	}
	return name, 12 << 20
}

// A disk that fails: EIO, by each path, cached and not, and what can be read still is.
func TestFailingDisk(t *testing.T) {
	name, half := failing(t)
	for _, flag := range []int{0, file.Direct} {
		for _, w := range ways {
			t.Run(fmt.Sprintf("%s, flag %#x", w.name, flag), func(t *testing.T) {
				w.take(t, filepath.Dir(name))
				eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
					f, err := file.OpenFile(name, os.O_RDONLY|flag, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					p := buf.Aligned(1<<16, 4096)
					if n, err := f.ReadAt(p, 0); n != len(p) || err != nil {
						t.Errorf("ReadAt of the good part = %d, %v", n, err)
					}
					bad := 0
					for off := half; off < 24<<20; off += 1 << 20 {
						if _, err := f.ReadAt(p, off); errors.Is(err, unix.EIO) {
							bad++
						} else if err != nil {
							t.Errorf("ReadAt of the bad part: %v, want EIO", err)
						}
					}
					if bad == 0 {
						t.Error("the whole file can be read")
					}
				})
			})
		}
	}
}
