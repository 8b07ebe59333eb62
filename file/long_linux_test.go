//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
)

// longSize is past 2 GiB, which neither a call of the kernel's nor an int32 can count.
const longSize = 1<<31 + 5*dataBlock

// need64 skips where no length can be so long.
func need64(t *testing.T) {
	t.Helper()
	if strconv.IntSize < 64 {
		t.Skip("an int has 32 bits")
	}
}

// reserved gives memory of longSize that takes none as long as nobody writes to it.
func reserved(t *testing.T) []byte {
	t.Helper()
	need64(t)
	size := int64(longSize)
	p, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Skipf("no address space: mmap of %d bytes: %v", size, err)
	}
	t.Cleanup(func() { unix.Munmap(p) })
	return p
}

// hollow makes a file that is a hole, but for its last bytes, which are given.
func hollow(t *testing.T, dir string) (name string, last []byte) {
	t.Helper()
	name, last = filepath.Join(dir, "hollow"), bytesOf(3*dataBlock)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(last, longSize-int64(len(last))); err != nil {
		t.Fatal(err)
	}
	return name, last
}

// A read of more than 2 GiB comes in parts, whose sum is the count. All slices are the same
// memory, but for the last.
func TestLongRead(t *testing.T) {
	need64(t)
	dirs := map[string]string{"disk": tempDir(t)}
	if dir, err := os.MkdirTemp("/dev/shm", "ringo"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs["tmpfs"] = dir
	}
	for place, dir := range dirs {
		name, last := hollow(t, dir)
		for _, w := range ways {
			if w.known != 0 && (!w.hosted || place == "tmpfs") || race.Enabled && !w.hosted {
				continue
			}
			t.Run(place+"/"+w.name, func(t *testing.T) {
				w.take(t, dir)
				eachCaller(t, func(t *testing.T, _ *ringo.Loop) { longRead(t, name, last) })
			})
		}
	}
}

func longRead(t *testing.T, name string, last []byte) {
	t.Helper()
	f := openDirect(t, name) // what is read takes no memory so
	defer f.Close()
	const part = 4 << 20
	size := int64(longSize)
	same, tail := buf.Aligned(part, dataBlock), buf.Aligned(int(size%part), dataBlock)
	ps := make([][]byte, size/part, size/part+2)
	for i := range ps {
		ps[i] = same
	}
	ps = append(ps, tail)
	same[part-1] = 'x'
	if n, err := f.ReadVAt(ps, 0); int64(n) != size || err != nil {
		t.Fatalf("ReadVAt = %d, %v, want %d", n, err, size)
	}
	if same[part-1] != 0 || !bytes.Equal(tail[len(tail)-len(last):], last) {
		t.Error("ReadVAt gave other bytes than the file's")
	}
	if n, err := f.ReadVAt(append(ps, buf.Aligned(dataBlock, dataBlock)), 0); int64(n) != size || err != io.EOF {
		t.Errorf("ReadVAt over the end = %d, %v, want %d and io.EOF", n, err, size)
	}
}

// A write of more than 2 GiB is taken in parts, too, and so is a read into that much.
func TestLongWrite(t *testing.T) {
	p := reserved(t)
	size := len(p)
	small := tempDir(t)
	if err := unix.Mount("none", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("no tmpfs of our own, so no full one: mount: %v", err)
		small = ""
	} else {
		t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		null, err := file.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		for what, write := range map[string]func() (int, error){
			"Write":    func() (int, error) { return null.Write(p) },
			"WriteAt":  func() (int, error) { return null.WriteAt(p, 1<<33) },
			"WriteVAt": func() (int, error) { return null.WriteVAt([][]byte{p[:1], p[1:]}, 1<<33) },
		} {
			if n, err := write(); n != size || err != nil {
				t.Errorf("%s to /dev/null = %d, %v, want %d", what, n, err, size)
			}
		}
		f, err := file.Open(filled(t, tempDir(t), 10_000))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if n, err := f.ReadAt(p, 10_000); n != 0 || err != io.EOF {
			t.Errorf("ReadAt of %d bytes behind the end = %d, %v, want io.EOF", size, n, err)
		}
		if small != "" {
			longFull(t, small, p)
		}
	})
}

// longFull writes more than 2 GiB to a disk that has not that much room.
func longFull(t *testing.T, dir string, p []byte) {
	t.Helper()
	const far = 1<<32 + 12_345
	name := filepath.Join(dir, "file")
	f, err := file.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	defer f.Close()
	n, err := f.WriteAt(p, far)
	if n == 0 || n > 64<<10 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("WriteAt = %d, %v, want what there is room for and ENOSPC", n, err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != far+int64(n) {
		t.Errorf("the file is %v long, %v, want %d", info.Size(), err, far+int64(n))
	}
}

// A task's WriteAt past the bound of a part goes out in several, by each way, and at
// offsets of more than 32 bits all of it arrives where it should.
func TestWriteInPieces(t *testing.T) {
	const size, piece = 3<<20 + 1234, 1 << 20
	all := bytesOf(size)
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		offs := []int64{1<<32 - piece - 7, 0, 1<<31 - 5, 1 << 40}
		if race.Enabled {
			offs = offs[:1]
		}
		for _, off := range offs {
			f, err := file.Create(filepath.Join(dir, "far"))
			if err != nil {
				t.Fatal(err)
			}
			var before uint64
			if l != nil {
				before = submitted(l)
			}
			if n, err := f.WriteAt(all, off); n != size || err != nil {
				t.Errorf("WriteAt(%d) = %d, %v", off, n, err)
			}
			if l != nil {
				if n := submitted(l) - before; n < size/piece {
					t.Errorf("%d bytes went to the driver in %d ops, want %d or more", size, n, size/piece)
				}
			}
			if err := holds(f.Name(), all, off); err != nil {
				t.Error(err)
			}
			got := make([]byte, size+1)
			if n, err := f.ReadAt(got, off); n != size || err != io.EOF || !bytes.Equal(got[:n], all) {
				t.Errorf("ReadAt(%d) = %d, %v", off, n, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// holds says why a file does not end with these bytes, from an offset on.
func holds(name string, want []byte, off int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	got := make([]byte, len(want)+1)
	if n, err := f.ReadAt(got, off); n != len(want) || err != io.EOF || !bytes.Equal(got[:n], want) {
		return fmt.Errorf("from %d on the file holds %d bytes, %v, or others", off, n, err)
	}
	return nil
}
