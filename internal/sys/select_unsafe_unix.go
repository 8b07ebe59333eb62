//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SelectNow is select(2) that doesn't wait. It looks at the descriptors below n in the sets, and removes those that
// are not ready.
func SelectNow(n int, in, out, except *FDSet) int32 {
	for {
		if res := Select(n, in, out, except, 0); res != -EINTR { // EINTR leaves the sets unchanged
			return res
		}
	}
}

// Select is select(2): it waits up to ns nanoseconds, rounded up to microseconds, for ever if negative. It returns
// EINTR, because only the caller knows how much of its time is left. On every system a set is words of the
// architecture's size, whose bits lie as in an FDSet on little-endian machines, as all are that these systems run on.
func Select(n int, in, out, except *FDSet, ns int64) int32 {
	var limit *unix.Timeval
	if ns >= 0 {
		tv := unix.NsecToTimeval(ns + 999)
		limit = &tv
	}
	return count(unix.Select(n, (*unix.FdSet)(unsafe.Pointer(in)), (*unix.FdSet)(unsafe.Pointer(out)),
		(*unix.FdSet)(unsafe.Pointer(except)), limit))
}
