//go:build linux

package uring

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A receive with a limit ends with the buffer that reaches it, and the rest is for another.
func TestLimitRecv(t *testing.T) {
	need(t, CheckRecvLimit)
	r := open(t, 8, nil)
	b, err := r.BufRing(1, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, err := unix.Write(p[1], make([]byte, 16*5)); err != nil {
		t.Fatal(err)
	}
	prep := func(e *SQE) {
		e.PrepRecvMultishot(p[0], 1, 0)
		e.LimitRecv(33)
	}
	for _, want := range []int{3, 2} {
		if err := submit(r, 7, prep); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			c, err := await(r, 7)
			if err != nil {
				t.Fatal(err)
			}
			if c.Res != 16 || c.More() != (want == 2 || i < want-1) {
				t.Errorf("completion %d of %d: %d bytes, more %v", i, want, c.Res, c.More())
			}
			b.Return(c.BufID())
		}
	}
	if err := submit(r, 8, func(e *SQE) { e.PrepCancel(7) }); err != nil {
		t.Fatal(err)
	}
	if err := expectCancelled(r, 7); err != nil {
		t.Error(err)
	}
}
