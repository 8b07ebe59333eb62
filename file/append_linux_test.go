//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// What several append to one file stays in one piece each, and who has appended is at the
// end of what it wrote.
func TestAppendsTogether(t *testing.T) {
	const writers, records, size = 3, 10, 9000 // no whole number of pages
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "log")
		var joins []func()
		for w := range writers {
			joins = append(joins, begin(l, func() {
				f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				p := bytes.Repeat([]byte{'a' + byte(w)}, size)
				for range records {
					if n, err := f.Write(p); n != size || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
					at, err := f.Seek(0, io.SeekCurrent)
					if err != nil || at%size != 0 || at == 0 {
						t.Errorf("at %d, %v after an append, want a multiple of %d", at, err, size)
					}
					back := make([]byte, size)
					if _, err := f.ReadAt(back, at-size); err != nil || !bytes.Equal(back, p) {
						t.Errorf("in front of %d is %q..., %v, want %q", at, back[:1], err, p[:1])
					}
				}
			}))
		}
		for _, join := range joins {
			join()
		}
		if info, err := statOf(name); err != nil || info.Size() != writers*records*size {
			t.Errorf("the file has %d bytes, %v, want %d", info.Size(), err, writers*records*size)
		}
	})
}

// Where the disk is full an append says what of it is there, and the position is behind
// that, also where the file system is none in memory.
func TestAppendToFull(t *testing.T) {
	base := tempDir(t)
	if err := unix.Mount("tmpfs", base, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no small file system to fill: mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(base, unix.MNT_DETACH) })
	dir, err := overlayIn(t, base)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	all := bytesOf(1 << 20)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		told := map[string][]any{}
		for what, open := range map[string]func(name string) (both, error){
			"file": func(name string) (both, error) {
				return file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			},
			"os": func(name string) (both, error) {
				return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			},
		} {
			name := filepath.Join(dir, what)
			f, err := open(name)
			if err != nil {
				t.Fatal(err)
			}
			first, err := f.Write(all[:100])
			n, full := f.Write(all)
			at, seek := f.Seek(0, io.SeekCurrent)
			got, _ := readFile(name)
			told[what] = []any{first, err, n, errors.Is(full, unix.ENOSPC), at, seek, len(got)}
			if n == 0 || len(got) != 100+n || !bytes.Equal(got[100:], all[:n]) {
				t.Errorf("%s: Write = %d, %v, and the file has %d bytes", what, n, full, len(got))
			}
			if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
				t.Error(err)
			}
		}
		if !same(told["file"], told["os"]) {
			t.Errorf("%v, with os %v", told["file"], told["os"])
		}
	})
}

// An append allocates nothing.
func TestAppendAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		f, err := file.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := buf.Aligned(100, 1)
		if n := alloctest.Least(20, 0.1, func() {
			if _, err := f.Write(p); err != nil {
				t.Error(err)
			}
		}); n > 0.1 {
			t.Errorf("Write allocates %v times", n)
		}
	})
}
