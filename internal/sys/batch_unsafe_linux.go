//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Recvmmsg is recvmmsg(2) into the window's messages, with MSG_DONTWAIT and MSG_CMSG_CLOEXEC added. It returns how
// many came, or the negated errno if the first one failed. The next call reports an error of a later one.
func Recvmmsg(fd int32, b *Batch, flags uint32) int32 {
	if b.from == b.to {
		return 0
	}
	b.arm(true)
	n := result(syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[b.from])),
		uintptr(b.to-b.from),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC), 0, 0))
	b.took(int(max(n, 0)))
	return n
}

// Sendmmsg is sendmmsg(2) of the window's messages, with MSG_DONTWAIT and MSG_NOSIGNAL added. It returns how many were
// sent, or the negated errno if the first one failed.
func Sendmmsg(fd int32, b *Batch, flags uint32) int32 {
	if b.from == b.to {
		return 0
	}
	b.arm(false)
	return result(syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[b.from])),
		uintptr(b.to-b.from),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0))
}
