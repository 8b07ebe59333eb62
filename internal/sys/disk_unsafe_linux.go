//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nowMax is up to how many bytes a call that doesn't wait is made without telling the
// scheduler, which saves a tenth of a cached read of 4 KiB. For as long as it takes the
// thread can't be stopped by the collector, so it is to be done in microseconds.
const nowMax = 32 << 10

// ReadAtNow is preadv2(2) at off with RWF_NOWAIT: a read of what is in memory. A
// negative off is the file's position. The count comes short where the rest is not in
// memory; -EAGAIN: nothing is. -EOPNOTSUPP says that this sort of file can't tell,
// -ENOSYS that no preadv2 is here.
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
