//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// forget takes a file out of memory, and has nothing read ahead.
func forget(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	err = errors.Join(f.Sync(), unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM), unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED))
	if err != nil {
		t.Fatal(err)
	}
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
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filled(t, tempDir(t), size)
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Advise(file.AdviceRandom, 0, 0); err != nil {
			t.Fatal(err)
		}
		forget(t, name)
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
			forget(t, name)
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
		if _, err := f.ReadAt(p[:size], 0); err != nil { // it is in memory
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

// To ask allocates nothing.
func TestCachedAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	needCached(t)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		f, err := file.Open(filled(t, tempDir(t), 1<<16))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := make([]byte, 4096)
		if n := alloctest.Least(100, 0.1, func() {
			if n, err := f.ReadCached(p, 0); n != len(p) || err != nil {
				t.Errorf("ReadCached = %d, %v", n, err)
			}
			if in, err := f.Cached(0, 1<<16); !in || err != nil {
				t.Errorf("Cached = %v, %v", in, err)
			}
		}); n > 0.1 {
			t.Errorf("%v allocations", n)
		}
	})
}
