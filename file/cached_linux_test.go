//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// forget takes a file out of memory, and has nothing read ahead. Who else looks at a page at this moment, as writeback
// may, keeps it: then it is dropped next time. So does the disk that reads it, of which Cached tells when it has come.
// The caller is a task of l, or a goroutine, where that is nil.
func forget(t *testing.T, l *ringo.Loop, name string) {
	t.Helper()
	f, err := file.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err = errors.Join(err, f.Sync(), f.Advise(file.AdviceRandom, 0, 0)); err != nil {
		t.Fatal(err)
	}
	patience.UntilBy(t, name+" to leave memory", func() { pause(l) }, func() bool {
		if err := f.Advise(file.AdviceDontNeed, 0, 0); err != nil {
			t.Fatal(err)
		}
		for off := int64(0); off < info.Size(); off += 4096 {
			if in, _ := f.Cached(off, 1); in || sys.Resident(int32(f.Fd()), off, 1) == 1 {
				return false
			}
		}
		return true
	})
}

// needCached skips the test where nobody can tell what is in memory, with the reason.
func needCached(t *testing.T) {
	t.Helper()
	f, err := file.Open(filled(t, tempDir(t), 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, told := f.Cached(0, 1)
	_, read := f.ReadCached(make([]byte, 1), 0)
	if err := errors.Join(told, read); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

// needDisk skips the test where a folder's files are in memory only: nothing of them is dropped, and Direct is as good
// as any.
func needDisk(t *testing.T, dir string) {
	t.Helper()
	st, err := file.Statfs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC {
		t.Skipf("%s is in memory", dir)
	}
}

// What is in memory is told and read, what is not is neither.
func TestCached(t *testing.T) {
	needCached(t)
	needDisk(t, tempDir(t))
	const size, part = 64 * 4096, 16 * 4096
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		name := filled(t, tempDir(t), size)
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Advise(file.AdviceRandom, 0, 0); err != nil {
			t.Fatal(err)
		}
		forget(t, l, name)
		if in, err := f.Cached(0, size); in || err != nil {
			t.Fatalf("Cached of what was dropped = %v, %v", in, err)
		}
		p := make([]byte, size)
		for _, c := range []struct {
			off, n int64
			in     bool
			read   int
		}{
			{part, part, true, part},
			{part + 5, 1, true, 1},
			{part - 1, part, false, 0},
			{part, part + 1, false, part},
			{2*part - 10, 20, false, 10},
			{2 * part, 1, false, 0},
		} {
			forget(t, l, name)
			if _, err := f.ReadAt(p[:part], part); err != nil {
				t.Fatal(err)
			}
			if in, err := f.Cached(c.off, c.n); in != c.in || err != nil {
				t.Errorf("Cached(%d, %d) = %v, %v, want %v", c.off, c.n, in, err, c.in)
			}
			clear(p)
			n, err := f.ReadCached(p[:c.n], c.off) // more than was in memory if the disk is faster than the call
			if n < c.read || err != nil || !bytes.Equal(p[:n], bytesOf(size)[c.off:][:n]) {
				t.Errorf("ReadCached of %d bytes from %d on = %d, %v, want %d, or other bytes", c.n, c.off, n, err,
					c.read)
			}
		}
	})
}

// The file's end is the end of what is in memory.
func TestCachedEnd(t *testing.T) {
	const size = 5000
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		f, err := file.Open(filled(t, dir, size))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := make([]byte, 2*size)
		// It is in memory, up to the end of its last page: of one with blocks that nobody has read or written, as ext4
		// with blocks of 1024 bytes has them, the kernel gives nothing to who asks for more than the file has.
		if _, err := f.ReadAt(p, 0); err != io.EOF {
			t.Fatal(err)
		}
		n, err := f.ReadCached(p, 0)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Log(err)
			return
		}
		if n != size || err != nil || !bytes.Equal(p[:n], bytesOf(size)) {
			t.Errorf("ReadCached = %d, %v, want %d, or other bytes", n, err, size)
		}
		if n, err := f.ReadCached(p, size); n != 0 || err != io.EOF {
			t.Errorf("ReadCached at the end = %d, %v", n, err)
		}
		if n, err := f.ReadCached(nil, 0); n != 0 || err != nil {
			t.Errorf("ReadCached of nothing = %d, %v", n, err)
		}
		in, err := f.Cached(0, size)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Log(err)
			return
		}
		if !in || err != nil {
			t.Errorf("Cached = %v, %v", in, err)
		}
		for _, c := range []struct{ off, n int64 }{{0, size + 1}, {size, 1}, {1 << 40, 1}, {0, 1 << 33}} {
			if in, err := f.Cached(c.off, c.n); in || err != nil {
				t.Errorf("Cached(%d, %d) = %v, %v, and the file has %d bytes", c.off, c.n, in, err, size)
			}
		}
	})
}

// What can't be asked for says so.
func TestCachedErrors(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		want := func(f *file.File, off, n int64, want error) {
			t.Helper()
			if in, err := f.Cached(off, n); in || !errors.Is(err, want) {
				t.Errorf("Cached(%d, %d) = %v, %v, want %v", off, n, in, err, want)
			}
			if n < 1 || off > 1<<60 {
				return
			}
			if got, err := f.ReadCached(make([]byte, n), off); got != 0 || !errors.Is(err, want) {
				t.Errorf("ReadCached of %d bytes from %d on = %d, %v, want %v", n, off, got, err, want)
			}
		}
		name := filled(t, tempDir(t), 4096)
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		want(r, 0, 1, errors.ErrUnsupported)
		want(f, 0, 0, unix.EINVAL)
		want(f, 0, -1, unix.EINVAL)
		want(f, 1<<62, 1<<62, unix.EINVAL)
		if in, err := f.Cached(-1, 1); in || err == nil {
			t.Errorf("Cached before the file = %v, %v", in, err)
		}
		if n, err := f.ReadCached(make([]byte, 1), -1); n != 0 || err == nil {
			t.Errorf("ReadCached before the file = %d, %v", n, err)
		}
		f.Close()
		want(f, 0, 1, fs.ErrClosed)
		want(new(file.File), 0, 1, fs.ErrInvalid)
		want(nil, 0, 1, fs.ErrInvalid)
		if d, err := file.OpenFile(name, os.O_RDONLY|file.Direct, 0); err == nil {
			want(d, 0, 1, errors.ErrUnsupported)
			d.Close()
		}
	})
}

// Calls on an open file allocate nothing, by whoever and by whatever path.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := filled(t, dir, 1<<16)
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		log := openLog(t, filepath.Join(dir, "log"))
		defer log.Close()
		written := openLog(t, filepath.Join(dir, "written"))
		defer written.Close()
		w := mustWriter(t, written, &file.StreamConfig{Size: 1024})
		defer w.Close()
		p := buf.Aligned(4096, 4096)
		vec := [][]byte{p[:1000], p[1000:]}
		calls := map[string]func() error{
			"ReadAt":   func() error { _, err := f.ReadAt(p, 4096); return err },
			"ReadVAt":  func() error { _, err := f.ReadVAt(vec, 4096); return err },
			"WriteAt":  func() error { _, err := f.WriteAt(p, 4096); return err },
			"WriteVAt": func() error { _, err := f.WriteVAt(vec, 4096); return err },
			"Write":    func() error { _, err := f.Write(p); return err },
			"Seek":     func() error { _, err := f.Seek(0, 0); return err },
			"Datasync": f.Datasync,
			"Truncate": func() error { return f.Truncate(1 << 16) },
			"append":   func() error { _, err := log.Write(p[:100]); return err },
			"25 appends of a Writer, and a Flush": func() error { // some blocks
				for range 25 {
					if _, err := w.Write(p[:100]); err != nil {
						return err
					}
				}
				return w.Flush()
			},
		}
		if in, err := f.Cached(0, 1<<16); in && err == nil {
			calls["Cached"] = func() error { _, err := f.Cached(0, 1<<16); return err }
			calls["ReadCached"] = func() error { _, err := f.ReadCached(p, 0); return err }
		}
		if d, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0); err == nil {
			defer d.Close()
			calls["ReadAt, direct"] = func() error { _, err := d.ReadAt(p, 4096); return err }
		}
		for what, call := range calls {
			if err := call(); err != nil { // the first may find out what the file has
				t.Errorf("%s: %v", what, err)
			}
			n := alloctest.Least(20, 0.1, func() {
				if err := call(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
			if n > 0.1 {
				t.Errorf("%s allocates %v times", what, n)
			}
		}
	})
}

// Files that take no offset, in /proc, tracefs and /dev, are read and written as with package os: at the position by
// what has none, and at an offset not at all. A ring drops the offset.
func TestOffsetless(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	line := []byte("a line of a test's\n")
	flags := []int{os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_APPEND}
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		for name, text := range map[string][]byte{
			"/proc/self/comm": comm, "/proc/pressure/cpu": line, "/sys/kernel/tracing/trace_marker": line,
			"/dev/loop-control": line, "/dev/null": line, "/dev/zero": line, "/dev/full": line,
		} {
			for _, flag := range flags {
				f, err := file.OpenFile(name, flag, 0)
				g, err2 := os.OpenFile(name, flag, 0)
				if err != nil || err2 != nil {
					if (err == nil) != (err2 == nil) {
						t.Errorf("open of %s: %v, with os %v", name, err, err2)
					}
					continue
				}
				want, got := offsetlessCalls(g, flag, text), offsetlessCalls(f, flag, text)
				if want != got {
					t.Errorf("%s, opened with %#x:\n%swith os\n%s", name, flag, got, want)
				}
				f.Close()
				g.Close()
			}
		}
	})
}

// offsetlessCalls are what calls with and without an offset give.
func offsetlessCalls(f both, flag int, text []byte) (told string) {
	tell := func(what string, n int, err error) {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		told += fmt.Sprintf("\t%s = %d, %v\n", what, n, err)
	}
	p := make([]byte, 5)
	for range 2 {
		if flag == os.O_RDONLY {
			n, err := f.Read(p)
			tell("Read", n, err)
			n, err = f.ReadAt(p, 1)
			tell("ReadAt", n, err)
			continue
		}
		n, err := f.Write(text)
		tell("Write", n, err)
		n, err = f.WriteAt(text, 0)
		tell("WriteAt", n, err)
	}
	return told
}

// A task's transfer of several slices goes out in pieces, as one of a single slice does:
// what is in memory is copied on the loop's thread, which others wait for. All of it
// arrives.
func TestVectorsInPieces(t *testing.T) {
	const size, piece = 5<<20 + 1234, 1 << 20
	all := bytesOf(size)
	split := func(p []byte) (ps [][]byte) {
		for n := 1; len(p) > 0; n = n*3 + 1 {
			n = min(n, len(p))
			ps, p = append(ps, p[:n], nil), p[n:]
		}
		return ps
	}
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					name := filepath.Join(dir, "file")
					f, err := file.Create(name)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					before := submitted(l)
					if n, err := f.WriteVAt(split(all), 0); n != size || err != nil {
						t.Errorf("WriteVAt = %d, %v", n, err)
					}
					if n := submitted(l) - before; n < size/piece {
						t.Errorf("%d bytes went to the driver in %d ops, want %d or more", size, n, size/piece)
					}
					if got, err := readFile(name); err != nil || !bytes.Equal(got, all) {
						t.Errorf("written were %d bytes, %v", len(got), err)
					}
					got := make([]byte, size)
					if n, err := f.ReadVAt(split(got), 0); n != size || err != nil || !bytes.Equal(got, all) {
						t.Errorf("ReadVAt = %d, %v", n, err)
					}
				})
			})
		})
	}
}

// submitted is how many ops the loop's driver was given.
func submitted(l *ringo.Loop) (n uint64) {
	for _, o := range l.Stats().Ops {
		n += o.Submitted
	}
	return n
}

// asksForFiles counts how often somebody asks about an open file, and tells too much of its size.
type asksForFiles struct {
	kernel.Host
	n, shift atomic.Int64
}

func (k *asksForFiles) Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32 {
	res := k.Host.Statx(dir, path, flags, mask, st)
	if flags&sys.AtEmptyPath != 0 {
		k.n.Add(1)
		st.Size += uint64(k.shift.Load())
	}
	return res
}

// ReadFile asks about a file once, and gives all of it, also where its size is not what
// it was when it was asked for.
func TestReadFileAsksOnce(t *testing.T) {
	asked := new(asksForFiles)
	defer kernel.Through(asked)()
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				for _, size := range []int{0, 1, 511, 512, 4096, 5000} {
					for _, shift := range []int{0, -size, 3000} {
						asked.shift.Store(int64(shift))
						name := filled(t, dir, size)
						before := asked.n.Load()
						got, err := file.ReadFile(name)
						if err != nil || !bytes.Equal(got, bytesOf(size)) {
							t.Errorf("ReadFile of %d bytes, told %d: %d, %v", size, size+shift, len(got), err)
						}
						if n := asked.n.Load() - before; n != 1 {
							t.Errorf("it asked %d times about the file", n)
						}
						os.Remove(name)
					}
				}
			})
		})
	}
}

// Reads of what is in memory are no I/O, and cost nothing of a class's rate.
func TestClassReadsMemory(t *testing.T) {
	needCached(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			p := bytesOf(100_000)
			if _, err := f.Write(p); err != nil {
				t.Fatal(err)
			}
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Rate: 1})
			joinAll(inClass(t, l, c, 1, func(int) error {
				f.WriteAt(p, 0) // which is paid for in a day
				for range 10 {
					if _, err := f.ReadAt(p, 0); err != nil {
						return err
					}
				}
				return nil
			}))
		})
	})
}
