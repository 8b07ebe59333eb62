package file_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ringo"
	"ringo/file"
)

// bytesOf is n bytes in which no two places look the same.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16 ^ i>>8*31 ^ i*7)
	}
	return b
}

// A file can be opened, read and closed by whoever comes.
func TestOpenReadClose(t *testing.T) {
	name := filepath.Join(tempDir(t), "file")
	content := bytesOf(100_000)
	if err := writeFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != name {
			t.Errorf("Name = %q, want %q", f.Name(), name)
		}
		p := make([]byte, 5000)
		for _, off := range []int64{0, 1, 4096, 90_000, 95_000} {
			n, err := f.ReadAt(p, off)
			if n != len(p) || err != nil || !bytes.Equal(p, content[off:][:n]) {
				t.Errorf("ReadAt at %d = %d, %v", off, n, err)
			}
		}
		if n, err := f.ReadAt(p, 99_000); n != 1000 || err != io.EOF || !bytes.Equal(p[:n], content[99_000:]) {
			t.Errorf("ReadAt over the end = %d, %v, want 1000, EOF", n, err)
		}
		if n, err := f.ReadAt(p, 5<<30); n != 0 || err != io.EOF {
			t.Errorf("ReadAt behind the end = %d, %v, want 0, EOF", n, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close: %v, want fs.ErrClosed", err)
		}
		if _, err := f.ReadAt(p, 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("ReadAt after Close: %v, want fs.ErrClosed", err)
		}
	})
}

// Failed opens give os's errors, to the letter.
func TestOpenErrors(t *testing.T) {
	dir := tempDir(t)
	there := filepath.Join(dir, "there")
	if err := writeFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, name string
		flag       int
	}{
		{"nothing there", filepath.Join(dir, "none"), os.O_RDONLY},
		{"exclusive", there, os.O_RDWR | os.O_CREATE | os.O_EXCL},
		{"a directory to write", dir, os.O_RDWR},
		{"below a file", filepath.Join(there, "x"), os.O_RDONLY},
		{"a NUL in the name", "a\x00b", os.O_RDONLY},
		{"no name", "", os.O_RDONLY},
		{"a long name", filepath.Join(dir, strings.Repeat("x", 300)), os.O_RDONLY},
	} {
		t.Run(c.what, func(t *testing.T) {
			g, want := os.OpenFile(c.name, c.flag, 0o600)
			if want == nil {
				g.Close()
				t.Fatal("os opens it")
			}
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				f, err := file.OpenFile(c.name, c.flag, 0o600)
				if err == nil {
					f.Close()
				}
				if !reflect.DeepEqual(err, want) {
					t.Errorf("OpenFile: %#v, want %#v", err, want)
				}
			})
		})
	}
}
