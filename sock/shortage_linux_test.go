//go:build linux

package sock_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// Who gets no socket for want of descriptors is told what to raise.
func TestNoDescriptorForSocket(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var reserve, listen, dial error
			withoutDescriptors(t, func() {
				_, reserve = sock.Reserve("tcp", "127.0.0.1:0")
				_, listen = sock.Listen(l, "tcp", "127.0.0.1:0")
				_, dial = sock.Dial(l, "tcp", set.Addr().String())
			})
			for what, err := range map[string]error{"Reserve": reserve, "Listen": listen, "Dial": dial} {
				if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "raise RLIMIT_NOFILE") {
					t.Errorf("%s: %v; want EMFILE and what to raise", what, err)
				}
			}
		})
	})
}

// withoutDescriptors runs f while the process may open no more.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	free, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(free)
	none := lim
	none.Cur = uint64(free)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	f()
}
