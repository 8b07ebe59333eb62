//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// eachQueue runs a test on the system's kqueue.
func eachQueue(t *testing.T, f func(t *testing.T, p *kqueue)) {
	t.Helper()
	p, err := OpenKqueue(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f(t, p.(*kqueue))
}

func dup3(from, to int32) int32 {
	if err := unix.Dup2(int(from), int(to)); err != nil {
		return -1
	}
	return 0
}
