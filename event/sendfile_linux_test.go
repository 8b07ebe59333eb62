//go:build linux

package event_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/event"
)

// Of a file that is shorter than what is to be sent comes all that there is, also where it has to be read from a disk,
// and then the end.
func TestSendFileTooShort(t *testing.T) {
	for _, size := range []int{5, 1<<20 + 5} {
		want := pattern(size)
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			// Where this has no effect, as on tmpfs, sends don't wait for a disk.
			if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
				t.Fatal(err)
			}
			var told []error
			h := &funcs{open: func(c *event.Conn) {
				c.SendFile(f, 0, int64(len(want)+1), func(err error) { told = append(told, err) })
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error { return wantBytes(peer, want) })
			if len(told) != 1 || !errors.Is(told[0], io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: told %v", size, told)
			}
		})
	}
}
