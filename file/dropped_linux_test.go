//go:build linux

package file_test

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/file"
	"ringo/internal/test/patience"
)

// A File that nobody closed is closed when it is collected.
func TestDropped(t *testing.T) {
	name := filled(t, tempDir(t), 1)
	n := func() uintptr {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return f.Fd()
	}()
	patience.Within(t.Name(), func() {
		for {
			runtime.GC()
			if _, err := unix.FcntlInt(n, unix.F_GETFD, 0); err == unix.EBADF {
				return
			}
			pause(nil)
		}
	})
}
