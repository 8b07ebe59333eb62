//go:build linux

package drivertest

import (
	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
)

// resident: bytes just written are in memory, a hole that nobody has read is not.
func resident(h *harness, run runs) {
	const hole = 1 << 20
	f := h.file("0123456789")
	h.check(unix.Ftruncate(int(f.Sys()), hole))
	look := op.Op{Code: op.Resident, Arg: 10}
	switch res := run(f, look, nil); res {
	case -int32(unix.ENOSYS), -int32(unix.EPERM):
		h.Skipf("no cachestat(2) here: %s", show(res))
	default:
		h.gave("cachestat of what was written", res, 1)
	}
	look.Arg, look.Off = hole/2, hole/2
	h.gave("cachestat of a hole", run(f, look, nil), 0)
	look.Arg, look.Off = hole, 0
	h.gave("cachestat of both", run(f, look, nil), 0)
	number := &fd.FD{}
	number.Init(-1)
	if res, ok := h.try(&op.Op{Code: op.Resident, FD: number, Arg: 1}); !ok || res != -int32(unix.EBADF) {
		h.Errorf("cachestat of no descriptor = %s, %v", show(res), ok)
	}
}
