//go:build linux

package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// nothing writes no bytes to a file, in each way that there is.
var nothing = map[string]func(f both) error{
	"Write":       func(f both) error { _, err := f.Write(nil); return err },
	"WriteString": func(f both) error { _, err := f.WriteString(""); return err },
	"WriteAt":     func(f both) error { _, err := f.WriteAt(nil, 0); return err },
}

// A write of no bytes is a call of which a file may say something, and it says the same to each caller as to package
// os. io_uring, and a call that does not wait, take one for done of which no file has heard.
func TestWriteNothing(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{plain, "/dev/full", "/dev/null", "/proc/self/oom_score_adj", "/proc/self/timerslack_ns"}
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		for what, write := range nothing {
			for _, name := range files {
				theirs, err := os.OpenFile(name, os.O_WRONLY, 0)
				ours, err2 := file.OpenFile(name, os.O_WRONLY, 0)
				if err != nil || err2 != nil {
					if !same([]any{err2}, []any{err}) { // where it is not to be had, it is for nobody
						t.Errorf("open of %s: %v, want %v", name, err2, err)
					}
					continue
				}
				if got, want := write(ours), write(theirs); !same([]any{got}, []any{want}) {
					t.Errorf("%s of nothing to %s: %v, want %v", what, name, got, want)
				}
				theirs.Close()
				ours.Close()
			}
			theirs, ours := os.NewFile(eventfd(t), "event"), file.NewFile(eventfd(t), "event")
			if got, want := write(ours), write(theirs); !same([]any{got}, []any{want}) {
				t.Errorf("%s of nothing to an eventfd: %v, want %v", what, got, want)
			}
			theirs.Close()
			ours.Close()
		}
		for _, name := range files[1:] {
			if got, want := file.WriteFile(name, nil, 0), os.WriteFile(name, nil, 0); !same([]any{got}, []any{want}) {
				t.Errorf("WriteFile of nothing to %s: %v, want %v", name, got, want)
			}
		}
		if b, err := os.ReadFile(plain); string(b) != "there" || err != nil {
			t.Errorf("the plain file holds %q, %v", b, err)
		}
	})
}

// eventfd is a new one, which takes eight bytes and no less.
func eventfd(t *testing.T) uintptr {
	t.Helper()
	n, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(n)
}
