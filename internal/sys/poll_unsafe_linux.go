//go:build linux && !portable

package sys

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PollFd is struct pollfd: what poll(2) is asked about one descriptor, and what
// it answers.
type PollFd = unix.PollFd

// PpollNow is ppoll(2) that doesn't wait, so the scheduler isn't told. The result
// is how many descriptors have something in Revents.
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

// Ppoll is ppoll(2): it waits up to ns nanoseconds, for ever if negative. Only the
// caller knows what is left of its time, so it gives EINTR.
func Ppoll(fds []PollFd, ns int64) int32 {
	ts := timespec(ns)
	limit := &ts
	if ns < 0 {
		limit = nil
	}
	return result(syscall.Syscall6(unix.SYS_PPOLL,
		uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(limit)), 0, 0, 0))
}

// SelectNow is pselect6(2) that doesn't wait. It looks at the descriptors below n
// that are in the sets and takes those that are not ready out of them.
func SelectNow(n int, in, out, except *FDSet) int32 {
	for {
		var none unix.Timespec
		res := result(syscall.RawSyscall6(unix.SYS_PSELECT6, uintptr(n),
			uintptr(unsafe.Pointer(in)), uintptr(unsafe.Pointer(out)), uintptr(unsafe.Pointer(except)),
			uintptr(unsafe.Pointer(&none)), 0))
		if res != eintr { // which leaves the sets as they were
			return res
		}
	}
}

// Select is pselect6(2): it waits up to ns nanoseconds, for ever if negative. Only
// the caller knows what is left of its time, so it gives EINTR.
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

// timespec is ns in the machine's own words. Where these have 32 bits, 68 years
// are all that can be waited.
func timespec(ns int64) unix.Timespec {
	const secondsMax = math.MaxInt32
	if ns/1e9 > secondsMax {
		ns = secondsMax * 1e9
	}
	return unix.NsecToTimespec(max(ns, 0))
}

// IsOpen reports whether fd is a descriptor at all.
func IsOpen(fd int32) bool {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD, 0, 0, 0, 0)) >= 0
}

// FilesMax is RLIMIT_NOFILE as it is now, the number that no descriptor reaches;
// what cannot be found out is no limit.
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

// SetTimer makes a timerfd readable ns nanoseconds from now, at least one, and not
// before, whatever it was set to.
func SetTimer(fd int32, ns int64) int32 {
	spec := unix.ItimerSpec{Value: timespec(max(ns, 1))}
	return result(syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0,
		0))
}
