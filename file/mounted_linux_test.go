//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/test/patience"
)

// kinds are file systems that most machines don't have their temporary files on, and how
// they are made. Both share blocks between files.
var kinds = []struct {
	name string
	mkfs []string
}{
	{"xfs", []string{"mkfs.xfs", "-q", "-m", "reflink=1"}},
	{"btrfs", []string{"mkfs.btrfs", "-q"}},
}

// eachKind runs f on each of them, mounted from an image in memory, and skips those that
// can't be had.
func eachKind(t *testing.T, f func(t *testing.T, dir string)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { f(t, mountImage(t, k.name, k.mkfs)) })
	}
}

// imageSize is above the least that mkfs.xfs takes, 300 MiB. Of the memory only what is
// written to is used.
const imageSize = 1 << 30

// mountImage mounts a new file system, or skips and says why there is none. It is gone
// when the test ends.
func mountImage(t *testing.T, name string, mkfs []string) (dir string) {
	t.Helper()
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		t.Skipf("no memory for a disk: memfd_create: %v", err)
	}
	defer unix.Close(memory)
	if err := unix.Ftruncate(memory, imageSize); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, fmt.Sprintf("/proc/self/fd/%d", memory))
	if out, err := command(mkfs[0], append(slices.Clone(mkfs[1:]), loop)...); err != nil {
		t.Skipf("no %s: %s: %v: %s", name, mkfs[0], err, out)
	}
	dir = tempDir(t)
	if err := unix.Mount(loop, dir, name, 0, ""); err != nil {
		t.Skipf("no %s: mount: %v", name, err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// unmount ends a mount in which nothing may be open any more.
func unmount(t *testing.T, dir string) {
	t.Helper()
	err := unix.Unmount(dir, 0)
	for end := time.Now().Add(patience.Max / 3); errors.Is(err, unix.EBUSY) &&
		time.Now().Before(end); err = unix.Unmount(dir, 0) {
		pause(nil) // what was dropped last is being closed
	}
	if err != nil {
		t.Errorf("unmount of %s: %v", dir, err)
		unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// The suite on file systems with other answers: of btrfs no device has a number and
// directories have one link, either's copies share blocks, and each has its own bounds for
// what can be allocated, punched and read past the page cache.
func TestKinds(t *testing.T) {
	eachKind(t, func(t *testing.T, dir string) {
		defer func() { elsewhere = nil }()
		elsewhere = map[string]string{filepath.Base(t.Name()): dir}
		t.Run("like os", TestLikeOS)
		t.Run("data", TestDataLikeOS)
		t.Run("names", TestNamesLikeOS)
		t.Run("beyond os", TestBeyondOS)
		t.Run("direct", TestDirect)
		t.Run("locks", TestLock)
		t.Run("lock of another", TestLockOutlivesOthers)
		t.Run("copies", TestCopyFile)
		t.Run("atomic", TestWriteFileAtomic)
		t.Run("vectors", TestVectorsInPieces)
		t.Run("many at once", TestManyAtOnce)
		t.Run("close", TestCloseUnderCalls)
		t.Run("allocations", TestAllocs)
	})
}

// A read past the page cache into memory that is not aligned comes whole or says what is
// wrong, also where a part of the file is in memory: btrfs takes that part, and the rest only
// of a call that may wait.
func TestKindsReadWhole(t *testing.T) {
	const part, size = 3 * 4096, 16 * 4096
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			name := filled(t, dir, size)
			g, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if err := errors.Join(g.Sync(), unix.Fadvise(int(g.Fd()), 0, 0, unix.FADV_RANDOM),
				unix.Fadvise(int(g.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
				t.Fatal(err)
			}
			if n, err := g.ReadAt(make([]byte, part), 0); n != part || err != nil {
				t.Fatal(n, err)
			}
			f := openDirect(t, name)
			defer f.Close()
			p := buf.Aligned(size+1, 4096)[1:]
			n, err := f.Read(p)
			if n != size || err != nil || !bytes.Equal(p, bytesOf(size)) {
				var align *file.AlignError
				if n != 0 || !errors.As(err, &align) {
					t.Errorf("Read = %d, %v, want %d or an AlignError", n, err, size)
				}
			}
		})
	})
}

// What these file systems have for sure: the suite lets others do without.
func TestKindsHave(t *testing.T) {
	const size = 1 << 20
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			f, err := file.Create(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			allocated := func() int64 {
				t.Helper()
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				info, err := f.Stat()
				if err != nil {
					t.Fatal(err)
				}
				return info.(*file.Info).Allocated()
			}
			if err := f.Allocate(file.KeepSize, 0, size); err != nil || allocated() < size {
				t.Errorf("Allocate: %v, and %d bytes of the disk", err, allocated())
			}
			if n, err := f.WriteAt(bytesOf(size), 0); n != size || err != nil {
				t.Errorf("WriteAt = %d, %v", n, err)
			}
			if err := f.PunchHole(0, size/2); err != nil || allocated() > size/2 {
				t.Errorf("PunchHole: %v, and %d bytes of the disk", err, allocated())
			}
			if at, err := f.Seek(0, file.SeekData); at != size/2 || err != nil {
				t.Errorf("Seek to data = %d, %v", at, err)
			}
			if err := f.SetXattr("user.a", []byte("value"), 0); err != nil {
				t.Errorf("SetXattr: %v", err)
			}
			if err := f.SyncRange(0, size, file.SyncWrite|file.SyncWaitAfter); err != nil {
				t.Errorf("SyncRange: %v", err)
			}
			d, err := file.OpenFile(f.Name(), os.O_RDWR|file.Direct, 0)
			if err != nil {
				t.Fatalf("open past the page cache: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
