//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// HaveUring says whether this OS has io_uring at all; only Setup can tell whether it may be used.
const HaveUring = true

// UringSetup is io_uring_setup(2). The descriptor is close-on-exec.
func UringSetup(entries uint32, p *abi.Io_uring_params) (fd int, errno syscall.Errno) {
	r, _, errno := syscall.Syscall(abi.SYS_io_uring_setup, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(r), 0
}

// UringEnter is io_uring_enter(2) for calls that may wait: the scheduler may hand this thread's P to another one. The
// SQ's head shows what was consumed.
func UringEnter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	_, _, errno := syscall.Syscall6(abi.SYS_io_uring_enter, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags),
		uintptr(unsafe.Pointer(arg)), unsafe.Sizeof(*arg))
	return errno
}

// UringEnterRaw is io_uring_enter(2) with any argument, an address or an offset, and returns its result. The scheduler
// is told. Memory at an address must not be on a stack, and the caller keeps it alive.
func UringEnterRaw(fd int, submit, wait, flags uint32, arg, size uintptr) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(abi.SYS_io_uring_enter, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags),
		arg, size)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// UringEnterKeepingP is UringEnter without telling the scheduler: the P stays with this thread. The runtime's signals
// interrupt it.
func UringEnterKeepingP(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(abi.SYS_io_uring_enter, uintptr(fd), uintptr(submit), uintptr(wait),
		uintptr(flags), uintptr(unsafe.Pointer(arg)), unsafe.Sizeof(*arg))
	return errno
}

// UringRegister is io_uring_register(2).
func UringRegister(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	r, _, errno := syscall.Syscall6(abi.SYS_io_uring_register, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// UringMap maps a part of the ring, or with fd -1 fresh zeroed pages. Ring memory is populated at once, so that a
// shortage shows here and not as SIGBUS.
func UringMap(fd int, offset uint64, size int) (unsafe.Pointer, syscall.Errno) {
	flags := unix.MAP_SHARED | unix.MAP_POPULATE
	if fd < 0 {
		flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	}
	p, err := unix.MmapPtr(fd, int64(offset), nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, flags)
	return p, errnoOf(err)
}

// UringUnmap unmaps what UringMap has mapped.
func UringUnmap(p unsafe.Pointer, size int) syscall.Errno {
	return errnoOf(unix.MunmapPtr(p, uintptr(size)))
}

// UringClose closes the ring's descriptor. It is never repeated: after EINTR the descriptor is gone all the same.
func UringClose(fd int) syscall.Errno {
	return errnoOf(syscall.Close(fd))
}

// UringThread returns the id of the calling thread, by which a ring remembers its owner.
func UringThread() int { return syscall.Gettid() }

func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	return err.(syscall.Errno)
}
