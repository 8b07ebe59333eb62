//go:build linux

package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// Each direction has its deadline, and both callers of an end are told of its own.
func TestDeadlinesOfDirections(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filepath.Join(tempDir(t), "fifo")
		if err := file.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want os.ErrDeadlineExceeded", err)
		}
		if n, err := f.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("Write when the read deadline has passed = %d, %v", n, err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read of what is there when the deadline has passed: %v, want os.ErrDeadlineExceeded", err)
		}
		if err := errors.Join(f.SetReadDeadline(time.Time{}), f.SetWriteDeadline(time.Now())); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(make([]byte, 20)); n != 10 || err != nil {
			t.Errorf("Read when the write deadline has passed = %d, %v", n, err)
		}
		if _, err := f.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v, want os.ErrDeadlineExceeded", err)
		}
	})
}

// What waits for a disk has no deadline, as with package os.
func TestNoDeadline(t *testing.T) {
	for _, name := range []string{filepath.Join(tempDir(t), "file"), os.DevNull} {
		f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := f.SetDeadline(time.Now()), theirs.SetDeadline(time.Now()); got != want {
			t.Errorf("SetDeadline of %s: %v, want %v", name, got, want)
		}
		theirs.Close()
		f.Close()
		if err := f.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("SetReadDeadline of a closed file: %v, want os.ErrClosed", err)
		}
	}
}
