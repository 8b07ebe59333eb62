//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HaveEpoll says whether this OS has epoll at all.
const HaveEpoll = true

// EpollEvent is struct epoll_event, whose layout differs between architectures. Its 64 bits of data are two halves, Fd
// and Pad, because the struct is packed on some of them.
type EpollEvent = unix.EpollEvent

// Key returns the 64 bits that an event carries.
func Key(e *EpollEvent) uint64 { return uint64(uint32(e.Pad))<<32 | uint64(uint32(e.Fd)) }

// EpollCreate is epoll_create1(2), CLOEXEC.
func EpollCreate() int32 {
	return result(syscall.RawSyscall6(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC, 0, 0, 0, 0, 0))
}

// EpollAdd is epoll_ctl(2) with EPOLL_CTL_ADD: it watches fd for events, a poll mask with or without EPOLLET, which
// are reported with key. If fd is ready already, that is an event too.
func EpollAdd(ep, fd int32, events uint32, key uint64) int32 {
	return epollCtl(ep, unix.EPOLL_CTL_ADD, fd, events, key)
}

// EpollModify is epoll_ctl(2) with EPOLL_CTL_MOD. If fd is ready already, that is an event once more.
func EpollModify(ep, fd int32, events uint32, key uint64) int32 {
	return epollCtl(ep, unix.EPOLL_CTL_MOD, fd, events, key)
}

// EpollRemove is epoll_ctl(2) with EPOLL_CTL_DEL: from now on no event of fd is reported, not even one that was
// waiting.
func EpollRemove(ep, fd int32) int32 { return epollCtl(ep, unix.EPOLL_CTL_DEL, fd, 0, 0) }

func epollCtl(ep int32, op uintptr, fd int32, events uint32, key uint64) int32 {
	e := EpollEvent{Events: events, Fd: int32(uint32(key)), Pad: int32(uint32(key >> 32))}
	return result(syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(ep), op, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0,
		0))
}

// EpollPoll collects events without waiting, so the scheduler is not told. It returns their number.
func EpollPoll(ep int32, events []EpollEvent) int32 {
	return result(syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0))
}

// EpollPwait2 is epoll_pwait2(2), since Linux 5.11: it waits for events up to ns nanoseconds, for ever if negative.
// Unlike other calls here it returns EINTR, because only the caller knows how much of its time is left.
func EpollPwait2(ep int32, events []EpollEvent, ns int64) int32 {
	// struct __kernel_timespec, of 64-bit words on every machine.
	ts := [2]int64{ns / 1e9, ns % 1e9}
	limit := &ts
	if ns < 0 {
		limit = nil
	}
	return result(syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(unsafe.Pointer(limit)), 0, 0))
}

// EpollPwait is epoll_pwait(2): it waits up to ms milliseconds, for ever if negative. It returns EINTR.
func EpollPwait(ep int32, events []EpollEvent, ms int32) int32 {
	return result(syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0))
}
