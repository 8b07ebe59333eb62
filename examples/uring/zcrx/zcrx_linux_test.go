//go:build linux

package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

func needRing(t *testing.T) {
	t.Helper()
	cfg := &uring.Config{With: uring.SetupCQE32 | uring.SetupDeferTaskrun}
	r, err := uring.ProbeFor(cfg)
	if err == nil {
		err = r.Require()
	}
	if err != nil {
		t.Skip("no ring with large CQEs here: ", err)
	}
}

// TestNoCard: what cannot be is said, with its reason.
func TestNoCard(t *testing.T) {
	needRing(t)
	_, err := run("lo", "0", "127.0.0.1:0", func(net.Addr) { t.Error("listens") })
	if err == nil || !strings.Contains(err.Error(), "no receives without copies on lo: ") {
		t.Errorf("loopback: %v", err)
	}
	t.Log(err)
	if _, err := run("nobody's", "0", "127.0.0.1:0", nil); err == nil {
		t.Error("no such interface: no error")
	}
	if _, err := run("lo", "first", "127.0.0.1:0", nil); err == nil {
		t.Error("no such queue: no error")
	}
}

// TestReceive: all that a peer sends is counted, where the kernel copies for want of a card, or on the card and queue
// that RINGO_ZCRX names (eth0 1 [::1]:9999), whose peer is elsewhere.
func TestReceive(t *testing.T) {
	needRing(t)
	if list := strings.Fields(os.Getenv("RINGO_ZCRX")); len(list) == 3 {
		n, err := run(list[0], list[1], list[2], func(a net.Addr) { t.Log("listening on", a) })
		if err != nil || n == 0 {
			t.Errorf("%d bytes, %v", n, err)
		}
		return
	}
	const size = 64<<20 + 17 // more than the area
	sent := make(chan error, 1)
	listens := false
	n, err := run(without, "", "127.0.0.1:0", func(a net.Addr) {
		listens = true
		go func() {
			c, err := net.Dial("tcp", a.String())
			if err == nil {
				_, err = c.Write(make([]byte, size))
				err = errors.Join(err, c.Close())
			}
			sent <- err
		}()
	})
	if !listens && (errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EPERM)) {
		t.Skip(err)
	}
	if err := errors.Join(err, <-sent); err != nil || n != size {
		t.Errorf("%d bytes of %d: %v", n, size, err)
	}
}
