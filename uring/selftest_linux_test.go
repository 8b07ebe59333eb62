//go:build linux

package uring

import (
	"syscall"
	"testing"

	"ringo/internal/abi"
	"ringo/internal/mask"
	"ringo/internal/seam"
)

// tired is a kernel of which every second enter fails, and does nothing.
type tired struct {
	*ledger
	errno syscall.Errno
	calls *int
}

func (k tired) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	if *k.calls++; *k.calls%2 == 1 {
		return k.errno
	}
	return k.ledger.Enter(fd, submit, wait, flags, arg)
}

// A signal, or want of memory for a moment, is not taken for what the kernel can't do.
func TestSelfTestsGoOn(t *testing.T) {
	need(t)
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s stands for the kernel", m)
	}
	now, err := ProbeFor(&Config{}, allChecks()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, errno := range []syscall.Errno{syscall.EINTR, syscall.EAGAIN, syscall.EBUSY} {
		t.Run(errno.Error(), func(t *testing.T) {
			calls := 0
			r, err := ProbeFor(&Config{seam: seam.Seam{Kernel: tired{newLedger(t, 0), errno, &calls}}}, allChecks()...)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range now.Checks {
				if got := r.check(c.Name); (got == nil) != (c.err == nil) {
					t.Errorf("%s: %v, and %v when the kernel does not fail", c.Name, got, c.err)
				}
			}
			if calls == 0 {
				t.Error("the kernel was not entered")
			}
		})
	}
}
