//go:build linux

package open

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/sys"
)

// refuse makes the drivers named fail with errno until the test ends. That is done
// here and not by the kernel, since Go's own runtime ends a process that may not
// have epoll.
func refuse(t *testing.T, errno syscall.Errno, names ...string) {
	was := slices.Clone(rungs)
	t.Cleanup(func() { rungs = was })
	rungs = slices.Clone(rungs)
	for i := range rungs {
		if name := rungs[i].name; slices.Contains(names, name) {
			rungs[i].open = func(driver.Config) (driver.Driver, error) {
				return nil, &driver.SetupError{Driver: name, Step: "test", Hint: "why", Err: errno}
			}
		}
	}
}

// auto goes down the ladder, and says what was wrong with each rung above.
func TestLadder(t *testing.T) {
	if !sys.HaveEpoll {
		t.Skip("a build without Linux's own drivers, of which its ladder is")
	}
	ladder := []string{Uring, Epoll, Poll, Select}
	for n := 1; n <= len(ladder); n++ {
		refuse(t, syscall.EPERM, ladder[:n]...)
		var reasons []string
		for _, name := range ladder[:n] {
			reasons = append(reasons, name+": test: operation not permitted (why)")
		}
		reason := strings.Join(reasons, "; ")
		with(Auto, func(d driver.Driver, err error) {
			if n == len(ladder) {
				if err == nil || err.Error() != reason || !errors.Is(err, syscall.EPERM) {
					t.Errorf("no driver can be had, and auto says %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if info := d.Info(); info.Name != ladder[n] || info.Reason != reason {
				t.Errorf("auto takes %s, because %q; want %s, because %q", info.Name, info.Reason, ladder[n], reason)
			}
		})
	}
}

// Where descriptors are short, another driver would need as many.
func TestShortageEndsTheLadder(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		refuse(t, errno, Uring)
		with(Auto, func(d driver.Driver, err error) {
			if !errors.Is(err, errno) || strings.Contains(err.Error(), Epoll) {
				t.Errorf("%v is followed by %v", errno, err)
			}
		})
	}
}
