//go:build linux && !portable

package sys

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PollFd is struct pollfd: what poll(2) is asked about one descriptor, and its answer.
type PollFd = unix.PollFd

// PpollNow is ppoll(2) that doesn't wait, so the scheduler is not told. The result is the number of descriptors with a
// nonzero Revents.
func PpollNow(fds []PollFd) int32 {
	for {
		var none unix.Timespec
		res := result(syscall.RawSyscall6(unix.SYS_PPOLL,
			uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(&none)), 0, 0, 0))
		if res != eintr {
			return res
		}
	}
}

// Ppoll is ppoll(2): it waits up to ns nanoseconds, for ever if negative. It returns EINTR, because only the caller
// knows how much of its time is left.
func Ppoll(fds []PollFd, ns int64) int32 {
	ts := timespec(ns)
	limit := &ts
	if ns < 0 {
		limit = nil
	}
	return result(syscall.Syscall6(unix.SYS_PPOLL,
		uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(limit)), 0, 0, 0))
}

// SelectNow is pselect6(2) that doesn't wait. It looks at the descriptors below n in the sets, and removes those that
// are not ready.
func SelectNow(n int, in, out, except *FDSet) int32 {
	for {
		var none unix.Timespec
		res := result(syscall.RawSyscall6(unix.SYS_PSELECT6, uintptr(n),
			uintptr(unsafe.Pointer(in)), uintptr(unsafe.Pointer(out)), uintptr(unsafe.Pointer(except)),
			uintptr(unsafe.Pointer(&none)), 0))
		if res != eintr { // EINTR leaves the sets unchanged
			return res
		}
	}
}

// Select is pselect6(2): it waits up to ns nanoseconds, for ever if negative. It returns EINTR, because only the
// caller knows how much of its time is left.
func Select(n int, in, out, except *FDSet, ns int64) int32 {
	ts := timespec(ns)
	limit := &ts
	if ns < 0 {
		limit = nil
	}
	return result(syscall.Syscall6(unix.SYS_PSELECT6, uintptr(n),
		uintptr(unsafe.Pointer(in)), uintptr(unsafe.Pointer(out)), uintptr(unsafe.Pointer(except)),
		uintptr(unsafe.Pointer(limit)), 0))
}

// timespec converts ns to the architecture's words. If these have 32 bits, the wait is limited to 68 years.
func timespec(ns int64) unix.Timespec {
	const secondsMax = math.MaxInt32
	if ns/1e9 > secondsMax {
		ns = secondsMax * 1e9
	}
	return unix.NsecToTimespec(max(ns, 0))
}

// IsOpen reports whether fd is an open descriptor.
func IsOpen(fd int32) bool {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD, 0, 0, 0, 0)) >= 0
}

// FilesMax returns the present RLIMIT_NOFILE, which all descriptors are below; no limit if it can't be found out.
func FilesMax() uint64 {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return math.MaxUint64
	}
	return lim.Cur
}

// Timerfd is timerfd_create(2): a descriptor that is readable once the time that
// SetTimer set has passed, by the monotonic clock. CLOEXEC and non-blocking.
func Timerfd() int32 {
	return result(syscall.RawSyscall6(unix.SYS_TIMERFD_CREATE, unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK,
		0, 0, 0, 0))
}

// SetTimer makes a timerfd readable ns nanoseconds from now, at least one, and not before, whatever was set earlier.
func SetTimer(fd int32, ns int64) int32 {
	spec := unix.ItimerSpec{Value: timespec(max(ns, 1))}
	return result(syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0,
		0))
}
