package file_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
)

// A copy within a file that is open twice ends: to what lies behind it would read what it has written, until the disk
// is full.
func TestCopyOntoItself(t *testing.T) {
	onto := func(t *testing.T, l *ringo.Loop, flag int, from, to int64, want error, holds string) {
		t.Helper()
		name := filepath.Join(tempDir(t), "file")
		if err := writeFile(name, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		dst, err := file.OpenFile(name, os.O_WRONLY|flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer dst.Close()
		src.Seek(from, io.SeekStart)
		dst.Seek(to, io.SeekStart)
		var n int64
		move := func() error {
			n, err = file.Copy(dst, src)
			return err
		}
		switch { // one that does not end is to be ended
		case want == nil:
			err = move()
		case l != nil:
			err = l.WithTimeout(time.Second, move)
		default:
			late := time.AfterFunc(time.Second, func() { src.Close() })
			err = move()
			late.Stop()
		}
		if !errors.Is(err, want) {
			t.Fatalf("Copy from %d to %d, flag %#x = %d, %v, want %v", from, to, flag, n, err, want)
		}
		if got, err := readFile(name); err != nil || !bytes.Equal(got, []byte(holds)) {
			t.Errorf("from %d to %d, flag %#x: the file holds %d bytes, %.20q, %v", from, to, flag, len(got), got, err)
		}
	}
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		onto(t, l, 0, 0, 4, posix.EINVAL, "0123456789")
		onto(t, l, 0, 0, 10, posix.EINVAL, "0123456789")
		onto(t, l, os.O_APPEND, 3, 0, posix.EINVAL, "0123456789")
		onto(t, l, 0, 4, 0, nil, "4567896789")
		onto(t, l, 0, 4, 4, nil, "0123456789")
		onto(t, l, 0, 10, 20, nil, "0123456789")
		onto(t, l, os.O_APPEND, 10, 0, nil, "0123456789")
	})
}
