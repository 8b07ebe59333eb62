//go:build linux

package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// A Copy that waits for what a FIFO may never give keeps nobody from closing the file that
// it copies to, and nothing is written after that.
func TestCopyFromFIFOClose(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		src, err := file.OpenFile(fifo(t), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(tempDir(t), "copy")
		dst, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.WriteString("first"); err != nil {
			t.Fatal(err)
		}
		join := begin(l, func() {
			if n, err := file.Copy(dst, src); n != 5 || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Copy = %d, %v, want 5 bytes and fs.ErrClosed", n, err)
			}
		})
		for got := ""; got != "first"; pause(l) {
			b, err := readFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		begin(l, func() {
			if err := dst.Close(); err != nil {
				t.Errorf("Close of what is copied to: %v", err)
			}
		})()
		if _, err := src.WriteString("second"); err != nil {
			t.Fatal(err)
		}
		join()
		if got, err := readFile(name); string(got) != "first" || err != nil {
			t.Errorf("the copy has %q, %v", got, err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
}
