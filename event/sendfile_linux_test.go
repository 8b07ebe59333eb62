//go:build linux

package event_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/event"
	"ringo/internal/kernel"
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

// A File whose ReadAt does not return can't be read: whoever waits is told, and the connection ends.
func TestSendFileReadDoesNotReturn(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				f := stuckFile{unresident(t), end}
				defer f.Close()
				var told []error
				var why error
				h := &funcs{
					open: func(c *event.Conn) {
						if err := c.SendFile(f, 0, 1<<20, func(err error) { told = append(told, err) }); err != nil {
							t.Error(err)
						}
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					io.Copy(io.Discard, peer)
					return nil
				})
				want := map[string]error{"panic": event.ErrNoReturn, "Goexit": ringo.ErrGoexit}[name]
				if len(told) != 1 || !errors.Is(told[0], want) || !errors.Is(why, want) {
					t.Errorf("told %v, closed with %v", told, why)
				}
			})
		})
	}
}

// stuckFile is a file whose ReadAt does not return.
type stuckFile struct {
	*os.File
	end func()
}

func (f stuckFile) ReadAt([]byte, int64) (int, error) { f.end(); return 0, nil }

// unresident makes a file that is on the disk and not in memory.
func unresident(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(make([]byte, 1<<20))
	if err := errors.Join(err, f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	if (kernel.Host{}).Resident(int32(f.Fd()), 0, 1<<20) == 1 {
		f.Close()
		t.Skip("what is written here stays in memory")
	}
	return f
}
