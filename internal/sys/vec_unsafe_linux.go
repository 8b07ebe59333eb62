//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadvAt is preadv(2), or readv(2) at the file's position if off is negative. It may wait for the disk, so it informs
// the scheduler. vec must not be empty.
func ReadvAt(fd int32, vec []Iovec, off int64) int32 {
	return vecAt(unix.SYS_READV, unix.SYS_PREADV, fd, vec, off)
}

// WritevAt is pwritev(2), or writev(2) at the file's position, see ReadvAt.
func WritevAt(fd int32, vec []Iovec, off int64) int32 {
	return vecAt(unix.SYS_WRITEV, unix.SYS_PWRITEV, fd, vec, off)
}

func vecAt(here, there uintptr, fd int32, vec []Iovec, off int64) int32 {
	for {
		var res int32
		if off < 0 {
			res = result(syscall.Syscall(here, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(len(vec))))
		} else {
			res = result(syscall.Syscall6(there, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(len(vec)),
				uintptr(off), uintptr(uint64(off)>>32), 0))
		}
		if res != eintr {
			return res
		}
	}
}

// ReadvAtNow is preadv2(2) with RWF_NOWAIT, see ReadAtNow.
func ReadvAtNow(fd int32, vec []Iovec, off int64) int32 {
	return vecAtNow(unix.SYS_PREADV2, fd, vec, off)
}

// WritevAtNow is pwritev2(2) with RWF_NOWAIT, see ReadAtNow.
func WritevAtNow(fd int32, vec []Iovec, off int64) int32 {
	return vecAtNow(unix.SYS_PWRITEV2, fd, vec, off)
}

func vecAtNow(call uintptr, fd int32, vec []Iovec, off int64) int32 {
	off = max(off, -1)
	for {
		res := result(syscall.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(len(vec)),
			uintptr(off), uintptr(uint64(off)>>32), unix.RWF_NOWAIT))
		if res != eintr {
			return res
		}
	}
}
