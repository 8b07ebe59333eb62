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
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
)

// openDirect opens a file past the page cache, or skips where there is no such thing.
func openDirect(t *testing.T, name string) *file.File {
	t.Helper()
	f, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if errors.Is(err, unix.EINVAL) {
		t.Skipf("no O_DIRECT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What the disk refuses is explained.
func TestDirectMisaligned(t *testing.T) {
	needDisk(t, tempDir(t))
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		f := openDirect(t, filled(t, tempDir(t), 10_000))
		defer f.Close()
		mem, off := f.DirectAlign()
		for what, call := range map[string]func(p []byte) (int, error){
			"offset": func(p []byte) (int, error) { return f.ReadAt(p[:4096], 1) },
			"length": func(p []byte) (int, error) { return f.ReadAt(p[:4095], 0) },
			"memory": func(p []byte) (int, error) { return f.WriteAt(p[1:4097], 0) },
		} {
			_, err := call(buf.Aligned(8192, 4096))
			if err == nil && what == "memory" && mem < 4 {
				continue
			}
			var align *file.AlignError
			if !errors.Is(err, unix.EINVAL) || !errors.As(err, &align) || align.Mem != mem || align.Off != off ||
				!strings.Contains(err.Error(), "multiple") {
				t.Errorf("%s: %v, want an AlignError of %d, %d", what, err, mem, off)
			}
		}
	})
}

// directFile is a file of n bytes of bytesOf that is open past the page cache.
func directFile(t *testing.T, n int) (f *file.File, content []byte) {
	t.Helper()
	name := filled(t, tempDir(t), n)
	f, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if err != nil {
		t.Skipf("no direct I/O: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	if mem, _ := f.DirectAlign(); mem == 0 {
		t.Skip("no direct I/O")
	}
	return f, bytesOf(n)
}

// A task that does nothing but direct transfers lets the others of its loop have a turn at
// each.
func TestDirectGivesWay(t *testing.T) {
	const size = 4096
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			needDisk(t, tempDir(t))
			f, _ := directFile(t, 64*size)
			turns, over := 0, false
			other := l.Go(func() {
				for !over {
					turns++ // before it sleeps: who was resumed first in a turn may go on before it
					l.Sleep(0)
				}
			})
			p := buf.Aligned(size, 4096)
			calls := map[string]func(i int64) (int, error){
				"ReadAt":   func(i int64) (int, error) { return f.ReadAt(p, i*size) },
				"WriteAt":  func(i int64) (int, error) { return f.WriteAt(p, i*size) },
				"ReadVAt":  func(i int64) (int, error) { return f.ReadVAt([][]byte{p}, i*size) },
				"WriteVAt": func(i int64) (int, error) { return f.WriteVAt([][]byte{p}, i*size) },
				"Read":     func(int64) (int, error) { return f.Read(p) },
			}
			for name, call := range calls {
				for i := range int64(50) {
					before := turns
					if n, err := call(i); n != size || err != nil {
						t.Fatalf("%s = %d, %v", name, n, err)
					}
					if turns == before {
						t.Errorf("%s: the other task had no turn at call %d", name, i)
					}
				}
			}
			over = true
			other.Wait()
		})
	})
}

// A large direct transfer goes in pieces, so that the loop's thread is not held up by the
// pages of all of it, and says what one piece would.
func TestDirectInPieces(t *testing.T) {
	const size, tail = 9<<20 + 512<<10, 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, content := directFile(t, size+tail)
			p := buf.Aligned(12<<20, 4096)
			half := len(p) / 2
			for _, c := range []struct {
				name string
				call func() (int, error)
				n    int
				err  error
			}{
				{"ReadAt", func() (int, error) { return f.ReadAt(p[:size], 0) }, size, nil},
				{"ReadVAt", func() (int, error) {
					return f.ReadVAt([][]byte{p[:4096], p[4096:half], p[half:size]}, 0)
				}, size, nil},
				{"WriteAt", func() (int, error) { return f.WriteAt(p[:size], 0) }, size, nil},
				{"WriteVAt", func() (int, error) { return f.WriteVAt([][]byte{p[:half], p[half:size]}, 0) }, size, nil},
				{"Read over the end", func() (int, error) { return f.Read(p) }, size + tail, nil},
			} {
				if c.name[0] == 'R' {
					clear(p)
				}
				before := l.Stats().Parks
				n, err := c.call()
				if n != c.n || err != c.err {
					t.Errorf("%s = %d, %v, want %d, %v", c.name, n, err, c.n, c.err)
				}
				if !bytes.Equal(p[:min(n, size)], content[:min(n, size)]) {
					t.Errorf("%s: other bytes", c.name)
				}
				if parks := l.Stats().Parks - before; parks < 3 {
					t.Errorf("%s: %d parks for %d bytes, want one for each 4 MiB", c.name, parks, n)
				}
			}
			if at, err := f.Seek(0, io.SeekCurrent); at != size+tail || err != nil {
				t.Errorf("the position is %d, %v, want %d", at, err, size+tail)
			}
		})
	})
}

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
