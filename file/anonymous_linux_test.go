//go:build linux

package file_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// What has no type in the file system, an eventfd for one, is waited for by readiness, whatever mode it comes in: a
// worker would wait in the call without end, and Close for it, or EAGAIN would come out.
func TestAnonymousDescriptors(t *testing.T) {
	eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
		for _, flags := range []int{unix.EFD_CLOEXEC, unix.EFD_CLOEXEC | unix.EFD_NONBLOCK} {
			n, err := unix.Eventfd(0, flags)
			if err != nil {
				t.Fatal(err)
			}
			f := file.NewFile(uintptr(n), "eventfd")
			p := make([]byte, 8)
			if err := f.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatalf("flags %#x: %v", flags, err)
			}
			if n, err := f.Read(p); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("flags %#x: Read behind the deadline = %d, %v", flags, n, err)
			}
			if err := f.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			read := begin(l, func() {
				if n, err := f.Read(p); n != 8 || err != nil || binary.NativeEndian.Uint64(p) != 3 {
					t.Errorf("flags %#x: Read = %d, %v, %v", flags, n, err, p)
				}
			})
			pause(l)
			if n, err := f.Write(binary.NativeEndian.AppendUint64(nil, 3)); n != 8 || err != nil {
				t.Errorf("flags %#x: Write = %d, %v", flags, n, err)
			}
			read()
			read = begin(l, func() {
				if n, err := f.Read(p); n != 0 || !errors.Is(err, fs.ErrClosed) {
					t.Errorf("flags %#x: Read = %d, %v, want ErrClosed", flags, n, err)
				}
			})
			pause(l)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			read()
		}
	})
}

// What is always ready keeps the mode that it came in.
func TestModeOfWhatIsReady(t *testing.T) {
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		n, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC|mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := file.NewFile(uintptr(n), "null")
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != mode {
			t.Errorf("opened with %#x, the mode is %#x, %v", mode, flags&unix.O_NONBLOCK, err)
		}
		f.Close()
	}
}
