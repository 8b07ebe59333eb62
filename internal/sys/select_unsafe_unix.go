//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SelectNow is select(2) that doesn't wait. It looks at the descriptors below n that are in the sets and takes those
// that are not ready out of them.
func SelectNow(n int, in, out, except *FDSet) int32 {
	for {
		if res := Select(n, in, out, except, 0); res != -EINTR { // which leaves the sets as they were
			return res
		}
	}
}

// Select is select(2): it waits up to ns nanoseconds, rounded up to microseconds, for ever if negative. Only the caller
// knows what is left of its time, so it gives EINTR. A set is words of the machine's own size on every system: their
// bits lie as in an FDSet where the lowest byte comes first, which is so on all machines that these systems run on.
func Select(n int, in, out, except *FDSet, ns int64) int32 {
	var limit *unix.Timeval
	if ns >= 0 {
		tv := unix.NsecToTimeval(ns + 999)
		limit = &tv
	}
	return count(unix.Select(n, (*unix.FdSet)(unsafe.Pointer(in)), (*unix.FdSet)(unsafe.Pointer(out)),
		(*unix.FdSet)(unsafe.Pointer(except)), limit))
}
