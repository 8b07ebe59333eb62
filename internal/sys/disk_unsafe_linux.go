//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nowMax is the size up to which a call that doesn't wait is made without telling the scheduler, which saves a tenth
// of a cached read of 4 KiB. The garbage collector can't stop the thread during the call, so it must be a matter of
// microseconds.
const nowMax = 32 << 10

// ReadAtNow is preadv2(2) at off with RWF_NOWAIT: it reads what is in memory. A negative off is the file's position.
// The count is short if the rest is not in memory; -EAGAIN: nothing is. -EOPNOTSUPP means that this kind of file does
// not support the flag, -ENOSYS that there is no preadv2.
func ReadAtNow(fd int32, p []byte, off int64) int32 { return atNow(unix.SYS_PREADV2, fd, p, off) }

// WriteAtNow is pwritev2(2) at off with RWF_NOWAIT, see ReadAtNow.
func WriteAtNow(fd int32, p []byte, off int64) int32 { return atNow(unix.SYS_PWRITEV2, fd, p, off) }

func atNow(call uintptr, fd int32, p []byte, off int64) int32 {
	if off < 0 {
		off = -1
	}
	iov := Iovec{Base: (*byte)(base(p)), Len: clampLen(p)}
	low, high := uintptr(off), uintptr(uint64(off)>>32)
	for {
		var res int32
		if len(p) <= nowMax {
			res = result(syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, low,
				high, unix.RWF_NOWAIT))
		} else {
			res = result(syscall.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, low,
				high, unix.RWF_NOWAIT))
		}
		if res != eintr {
			return res
		}
	}
}
