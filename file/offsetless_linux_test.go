//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"ringo"
	"ringo/file"
)

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
			"/dev/loop-control": line,
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
