//go:build linux

package sock_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
)

// A call that the kernel refuses is told in the words of package os.
func TestPollErrorsAsOs(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.EFD_NONBLOCK} {
			t.Run(name, func(t *testing.T) {
				f := fileOf(t, "eventfd")(unix.Eventfd(1, unix.EFD_CLOEXEC|flags))
				onLoop(t, cfg, func(l *ringo.Loop) {
					p := pollOf(t, l, f)
					defer p.Close()
					short := make([]byte, 3)
					_, want := f.Read(short)
					if _, err := p.Read(short); err == nil || err.Error() != want.Error() {
						t.Errorf("Read: %v, want %v", err, want)
					}
					_, want = f.Write(short)
					if _, err := p.Write(short); err == nil || err.Error() != want.Error() {
						t.Errorf("Write: %v, want %v", err, want)
					}
				})
			})
		}
	})
}
