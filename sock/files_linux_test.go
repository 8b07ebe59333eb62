//go:build linux

package sock_test

import (
	"os"
	"syscall"
	"testing"
)

// raiseFiles lets this process have as many descriptors as it may.
func raiseFiles() {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err == nil {
		r.Cur = r.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r)
	}
}

// needFiles skips a test for which the limit is too low.
func needFiles(t testing.TB, n uint64) {
	t.Helper()
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	if r.Cur < n {
		t.Skipf("RLIMIT_NOFILE is %d, this needs %d", r.Cur, n)
	}
}

// sockets counts the descriptors of this process that are sockets.
func sockets(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && len(target) > 7 &&
			target[:7] == "socket:" {
			n++
		}
	}
	return n
}
