//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// Where a disk is full half-way through several slices, or a copy, the count is of what is
// in the file.
func TestFullHalfway(t *testing.T) {
	dir := tempDir(t)
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no tmpfs of our own: mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	all := bytesOf(100_000)
	from := filled(t, tempDir(t), len(all))
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for what, write := range map[string]func(f *file.File) (int, error){
			"WriteVAt": func(f *file.File) (int, error) {
				return f.WriteVAt([][]byte{all[:10], all[10:50_000], all[50_000:]}, 0)
			},
			"WriteAt": func(f *file.File) (int, error) { return f.WriteAt(all, 0) },
			"Copy": func(f *file.File) (int, error) {
				src, err := file.Open(from)
				if err != nil {
					return 0, err
				}
				defer src.Close()
				n, err := file.Copy(f, src)
				return int(n), err
			},
		} {
			name := filepath.Join(dir, "file")
			f, err := file.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			n, err := write(f)
			got, _ := readFile(name)
			if n == 0 || n != len(got) || !errors.Is(err, unix.ENOSPC) || !bytes.Equal(got, all[:n]) {
				t.Errorf("%s = %d, %v, and the file has %d bytes", what, n, err, len(got))
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			os.Remove(name)
		}
	})
}

// Past RLIMIT_FSIZE the error is EFBIG, and the count is of what is in the file.
func TestFileSizeLimit(t *testing.T) {
	const limit = 50_000
	over := make(chan os.Signal, 64)
	signal.Notify(over, unix.SIGXFSZ)
	defer signal.Stop(over)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	all := bytesOf(100_000)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filepath.Join(dir, "file")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: was.Max}); err != nil {
			t.Skipf("RLIMIT_FSIZE: %v", err)
		}
		n, err := f.Write(all)
		m, err2 := f.WriteAt(all, 0)
		err3 := f.Truncate(limit + 1)
		unix.Setrlimit(unix.RLIMIT_FSIZE, &was)
		if n != limit || !errors.Is(err, unix.EFBIG) {
			t.Errorf("Write = %d, %v, want %d, EFBIG", n, err, limit)
		}
		if m != limit || !errors.Is(err2, unix.EFBIG) {
			t.Errorf("WriteAt = %d, %v, want %d, EFBIG", m, err2, limit)
		}
		if !errors.Is(err3, unix.EFBIG) {
			t.Errorf("Truncate: %v, want EFBIG", err3)
		}
		if got, err := readFile(name); err != nil || !bytes.Equal(got, all[:limit]) {
			t.Errorf("the file has %d bytes, %v", len(got), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}
